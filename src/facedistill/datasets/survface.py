"""QMUL-SurvFace (Cheng, Zhu and Gong 2018): faces as surveillance cameras cut them out, some 24 x 20 pixels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedistill.datasets.lists import first_few, index_pairs
from facedistill.datasets.mat_lists import (
    ListedPictures,
    all_pictures,
    check_people_known,
    find_pictures,
    read_id_list,
    read_pair_names,
)
from facedistill.datasets.pairs import PairSet
from facedistill.errors import FacedistillError

VERIFICATION = "Face_Verification_Test_Set"
IDENTIFICATION = "Face_Identification_Test_Set"


@dataclass(frozen=True)
class SurvFaceSearch:
    """The open-set identification test.

    Attributes:
        gallery: The watch list; several pictures of a person.
        mated: Probes of people on it.
        unmated: Files of probes that show nobody on it.
    """

    gallery: ListedPictures
    mated: ListedPictures
    unmated: tuple[Path, ...]


def read_survface_pairs(folder: Path | str) -> PairSet:
    """Reads the verification test, same pairs before different ones.

    Args:
        folder: SurvFace's folder, which holds `Face_Verification_Test_Set` with `verification_images`,
            `positive_pairs_names.mat` and `negative_pairs_names.mat`.

    Raises:
        UsageError: Something of this is not there.
        FacedistillError: A list is damaged, names a picture that is missing, or calls a pair same that the other one
            calls different.
    """
    root = Path(folder) / VERIFICATION
    lists = root / "positive_pairs_names.mat", root / "negative_pairs_names.mat"
    same, different = (read_pair_names(mat) for mat in lists)
    if both := {frozenset(pair) for pair in same} & {frozenset(pair) for pair in different}:
        raise FacedistillError(f"{root} lists {first_few(sorted(both.pop()))} both as same and as different")
    pairs = same + different
    names, first, second = index_pairs(pairs)
    files = find_pictures(root / "verification_images", names, lists[0])
    return PairSet(str(root), files, first, second, np.arange(len(pairs)) < len(same))


def read_survface_search(folder: Path | str) -> SurvFaceSearch:
    """Reads the open-set identification test.

    Args:
        folder: SurvFace's folder, which holds `Face_Identification_Test_Set` with `gallery`, `mated_probe` and
            `unmated_probe`, `gallery_img_ID_pairs.mat` and `mated_probe_img_ID_pairs.mat`. What is in `unmated_probe`
            needs no list.

    Raises:
        UsageError: Something of this is not there.
        FacedistillError: A list is damaged, names a picture that is missing, or a mated probe of nobody in the
            gallery.
    """
    root = Path(folder) / IDENTIFICATION
    gallery = read_id_list(root / "gallery_img_ID_pairs.mat", "gallery", root / "gallery")
    source = root / "mated_probe_img_ID_pairs.mat"
    mated = read_id_list(source, "mated_probe", root / "mated_probe")
    check_people_known(mated, gallery, source)
    return SurvFaceSearch(gallery, mated, all_pictures(root / "unmated_probe"))
