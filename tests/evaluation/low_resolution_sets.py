"""Small sets in the exact layout of SCface, TinyFace and QMUL-SurvFace, of people who are patterns with noise.

The pictures are PNG inside, whatever their names end in, so that every reader sees the same pixels.
"""

from pathlib import Path

import cv2
import numpy as np
from drawn_people import SIZE, Painter, embed
from scipy.io import loadmat, savemat

EXACT = {"rel": 0, "abs": 1e-9}
NOISE = 2.2


def column(names):
    """Cells [N, 1] of texts, as MATLAB keeps lists of names."""
    cells = np.empty((len(names), 1), dtype=object)
    cells[:, 0] = names
    return cells


def write_id_list(path, role, names, people, compressed=True):
    numbers = np.array(people, dtype=np.uint16)[:, None]
    savemat(path, {f"{role}_ids": numbers, f"{role}_set": column(names)}, do_compression=compressed)


def write_tinyface(root, people=9, distractors=30, seed=0):
    """TinyFace: 1 to 3 gallery pictures and 1 or 2 probes of each person."""
    drawn, rng = Painter(seed, NOISE), np.random.default_rng(seed + 1)
    folder = root / "Testing_Set"
    for role, of, at_most in (("gallery", "Gallery_Match", 3), ("probe", "Probe", 2)):
        names, ids = [], []
        for person in range(people):
            for number in range(rng.integers(1, at_most + 1)):
                names.append(f"{1000 + person}_{role}_{number}.jpg")
                ids.append(person + 1)
                drawn.write(folder / of / names[-1], person, drawn.tiny_size())
        mat = "gallery_match_img_ID_pairs.mat" if role == "gallery" else "probe_img_ID_pairs.mat"
        write_id_list(folder / mat, role, names, ids)
    for number in range(distractors):
        drawn.write(folder / "Gallery_Distractor" / f"d{number:04}.jpg", -1 - number // 2, drawn.tiny_size())
    return root


def write_survface(root, people=26, strangers=20, pairs=30, seed=0):
    """QMUL-SurvFace: both tests. `people` are on the watch list, so that rank 20 is no certainty."""
    drawn, rng = Painter(seed, NOISE), np.random.default_rng(seed + 1)
    folder = root / "Face_Identification_Test_Set"
    for role, mat_role in (("gallery", "gallery"), ("mated_probe", "mated_probe")):
        names, ids = [], []
        for person in range(people):
            for number in range(rng.integers(1, 4)):
                names.append(f"{person}_cam{rng.integers(1, 4)}_{number}.jpg")
                ids.append(person + 1)
                drawn.write(folder / role / names[-1], person, drawn.tiny_size())
        write_id_list(folder / f"{role}_img_ID_pairs.mat", mat_role, names, ids, compressed=False)
    for number in range(2 * strangers):
        name = f"{900 + number // 2}_cam1_{number}.jpg"
        drawn.write(folder / "unmated_probe" / name, -1 - number // 2, drawn.tiny_size())
    folder = root / "Face_Verification_Test_Set"
    for same in (True, False):
        kind = "positive" if same else "negative"
        cells = np.empty((pairs, 2), dtype=object)
        for pair in range(pairs):
            for side in (0, 1):
                person = 100 + pair if same else 100 + (pair + side * (1 + pair % 7)) % pairs
                cells[pair, side] = f"{person}_{kind}_{pair}_{side}.jpg"
                drawn.write(folder / "verification_images" / cells[pair, side], person, drawn.tiny_size())
        savemat(folder / f"{kind}_pairs_names.mat", {f"{kind}_pairs_names": cells})
    return root


def write_scface(root, people=8, size=SIZE, flat=False, seed=0):
    """SCface as it unpacks, or in one folder. Pictures of the default size count as aligned."""
    drawn = Painter(seed, NOISE)
    for person in range(1, people + 1):
        mugshot = f"{person:03}_frontal.JPG"
        drawn.write(root / ("" if flat else "mugshot_frontal_cropped_all") / mugshot, person, size)
        for distance in (1, 2, 3):
            for camera in (1, 2, 3, 4, 5):
                name = f"{person:03}_cam{camera}_{distance}.jpg"
                folder = "" if flat else f"surveillance_cameras_distance_{distance}/cam_{camera}"
                drawn.write(root / folder / name, person, size)
    return root


def read_crop(path: Path):
    """A picture as the crop that a protocol of small pictures should make of it, by OpenCV alone."""
    image = cv2.imread(str(path))[:, :, ::-1]
    height, width = image.shape[:2]
    if (height, width) == SIZE:
        return np.ascontiguousarray(image)
    how = cv2.INTER_AREA if height * width > SIZE[0] * SIZE[1] else cv2.INTER_CUBIC
    return cv2.resize(image, SIZE[::-1], interpolation=how)


def look_at(path: Path):
    """The unit embedding of a picture file, float64."""
    row = embed(read_crop(path)[None])[0].astype(np.float64)
    return row / np.sqrt((row**2).sum())


def tear(path: Path):
    """Leaves half a picture."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def listed(mat, role):
    """[(name, id), ...] of a list, by scipy."""
    content = loadmat(mat)
    names = [str(cell[0][0]) for cell in content[f"{role}_set"]]
    return list(zip(names, content[f"{role}_ids"].ravel().tolist(), strict=True))


def seen(path):
    """As `look_at`, or None for a torn picture."""
    try:
        return look_at(path)
    except TypeError:  # OpenCV gives None
        return None


def cosine(a, b):
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


def relist(mat, role, change):
    names, people = zip(*listed(mat, role), strict=True)
    names, people = change(list(names), list(people))
    write_id_list(mat, role, names, people)
