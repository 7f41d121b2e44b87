"""TinyFace (Cheng et al., ACCV 2018): native low-resolution faces, and 153,428 distractors."""

from dataclasses import dataclass
from pathlib import Path

from facedistill.datasets.mat_lists import ListedPictures, all_pictures, check_people_known, read_id_list


@dataclass(frozen=True)
class TinyFace:
    """The testing set.

    Attributes:
        gallery: The pictures that have probes.
        distractors: Files of people who are in no list.
        probes: Every one shows a person of the gallery.
    """

    gallery: ListedPictures
    distractors: tuple[Path, ...]
    probes: ListedPictures


def read_tinyface(folder: Path | str) -> TinyFace:
    """Reads `Testing_Set`: `Gallery_Match`, `Gallery_Distractor`, `Probe` and their two lists.

    Args:
        folder: TinyFace's folder, or its `Testing_Set`. The lists, `gallery_match_img_ID_pairs.mat` and
            `probe_img_ID_pairs.mat`, are beside the pictures' folders.

    Raises:
        UsageError: Something of this is not there.
        FacedistillError: A list is damaged, or names a picture that is missing, or a probe of nobody in the gallery.
    """
    folder = Path(folder)
    if (folder / "Testing_Set").is_dir():
        folder = folder / "Testing_Set"
    lists = folder / "gallery_match_img_ID_pairs.mat", folder / "probe_img_ID_pairs.mat"
    gallery = read_id_list(lists[0], "gallery", folder / "Gallery_Match")
    probes = read_id_list(lists[1], "probe", folder / "Probe")
    check_people_known(probes, gallery, lists[1])
    return TinyFace(gallery, all_pictures(folder / "Gallery_Distractor"), probes)
