"""Face sets of every kind: what they share, and how each reports damage."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from facedistill.datasets import Face, FaceList, Subset, find_damage, open_face_set, write_face_set
from facedistill.errors import FacedistillError, FacedistillWarning, UsageError
from facedistill.pictures import UnreadablePicture, encode_picture
from facedistill.recordio import write_records

SIZE = (10, 8)


def picture(value: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    rng = np.random.default_rng(value)
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.fixture
def faces() -> FaceList:
    """Three people with 2, 1 and 3 pictures."""
    return FaceList(Face(picture(n), label, f"p{label}/{n}.png") for n, label in enumerate([0, 0, 1, 2, 2, 2]))


def write_tree(root: Path, faces: FaceList) -> Path:
    for face in faces:
        path = root / face.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_picture(face.image, ".png"))
    return root


def make(kind: str, faces: FaceList, root: Path) -> object:
    if kind == "list":
        return faces
    if kind == "folder":
        return open_face_set(write_tree(root, faces))
    if kind == "subset":
        others = [Face(picture(90), 0, "first"), *(Face(f.image, 2 * f.label + 1, f.key) for f in faces)]
        return Subset(FaceList(others), range(1, 7))
    write_face_set(root, faces, extension=".png")
    return open_face_set(str(root))


@pytest.mark.parametrize("kind", ["list", "folder", "recordio", "subset"])
def test_every_kind_of_set_gives_the_same_faces(kind: str, faces: FaceList, tmp_path: Path) -> None:
    opened = make(kind, faces, tmp_path / "set")
    assert (len(opened), opened.classes, opened.size) == (6, 3, SIZE)
    assert opened.labels.dtype == np.int64
    assert opened.labels.tolist() == [0, 0, 1, 2, 2, 2]
    for index, face in enumerate(faces):
        found = opened[index]
        assert type(found.label) is int
        assert found.label == face.label
        assert found.image.dtype == np.uint8
        np.testing.assert_array_equal(found.image, face.image)
        if kind != "recordio":  # RecordIO numbers its records
            assert found.key == face.key
    assert opened[-1].key == opened[5].key
    with pytest.raises(IndexError):
        opened[6]
    assert len(opened.digest) == 64
    assert make(kind, faces, tmp_path / "again").digest == opened.digest
    assert find_damage(opened) == []


@pytest.mark.parametrize("kind", ["list", "folder", "recordio"])
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda faces: [Face(picture(99), 0, faces[0].key), *faces[1:]], id="a picture"),
        pytest.param(lambda faces: [*faces[:2], Face(faces[2].image, 2, "p2/2.png"), *faces[3:]], id="a label"),
        pytest.param(lambda faces: faces[:-1], id="one fewer"),
    ],
)
def test_the_digest_follows_the_content(kind: str, changed: object, faces: FaceList, tmp_path: Path) -> None:
    other = FaceList(changed(faces.faces))
    assert make(kind, faces, tmp_path / "a").digest != make(kind, other, tmp_path / "b").digest


def test_a_streamed_set_takes_its_size_from_the_first_face(faces: FaceList, tmp_path: Path) -> None:
    write_face_set(tmp_path, (face for face in faces), quality=100)
    opened = open_face_set(tmp_path)
    assert (len(opened), opened.classes, opened.size) == (6, 3, SIZE)


def test_a_set_without_own_iterator_can_be_written(faces: FaceList, tmp_path: Path) -> None:
    write_face_set(tmp_path, Subset(faces, [3, 5]), extension=".png")
    np.testing.assert_array_equal(open_face_set(tmp_path)[1].image, faces[5].image)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        pytest.param([], {}, "no faces", id="nothing"),
        pytest.param([Face(picture(0), 0, "a"), Face(picture(1, (9, 8)), 0, "odd")], {}, "face odd", id="an odd size"),
        pytest.param([Face(picture(0), 0, "a")], {"size": (10, 9)}, "face a", id="not the size that is given"),
        pytest.param([Face(picture(0)[..., 0], 0, "a")], {"size": SIZE}, "face a", id="grey"),
        pytest.param([Face(picture(0), -1, "a")], {}, "label of face a is -1", id="a negative label"),
        pytest.param([Face(picture(0), 0, "a")], {"extension": ".gif"}, ".gif", id="a kind that is not written"),
        pytest.param([Face(picture(0), 0, "a")], {"quality": 0}, "quality", id="no quality"),
    ],
)
def test_refuses_faces_it_cannot_write(given: list, options: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        write_face_set(tmp_path / "set", given, **options)
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param([], "at least one", id="nothing"),
        pytest.param([Face(picture(0), 0, "a"), Face(picture(1, (9, 8)), 0, "odd")], "face odd", id="an odd size"),
        pytest.param([Face(picture(0).astype(float), 0, "a")], "face a is float64", id="not 8 bits"),
    ],
)
def test_a_list_refuses_faces_that_do_not_fit(given: list, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FaceList(given)


def test_a_folder_is_ordered_and_leaves_out_what_is_no_picture(tmp_path: Path) -> None:
    for name in ["zoe/2.png", "zoe/1.PNG", "deep/er/adam/1.jpg", "zoe/notes.txt", "zoe/.3.png", ".cache/x/1.png"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_picture(picture(0), ".png"))  # the content decides the kind, not the name
    (tmp_path / "zoe/notes.txt").write_text("no picture")
    with pytest.warns(FacedistillWarning, match=r"1 hidden folder \(\.cache/.*1 hidden picture \(zoe/\.3\.png"):
        opened = open_face_set(tmp_path)
    assert [(face.key, face.label) for face in opened] == [
        ("deep/er/adam/1.jpg", 0),
        ("zoe/1.PNG", 1),
        ("zoe/2.png", 1),
    ]
    assert opened.people == ("deep/er/adam", "zoe")


def test_damaged_pictures_of_a_folder_are_named(faces: FaceList, tmp_path: Path) -> None:
    write_tree(tmp_path, faces)
    (tmp_path / "p0/0.png").write_bytes(b"")
    (tmp_path / "p1/2.png").write_bytes(encode_picture(picture(2, (9, 8)), ".png"))
    (tmp_path / "p2/4.png").write_bytes((tmp_path / "p2/4.png").read_bytes()[:100])
    opened = open_face_set(tmp_path)
    assert opened.size == SIZE  # of the first sound one
    with pytest.raises(UnreadablePicture, match=r"p1/2\.png is 9x8 .* but the set's first picture is 10x8"):
        opened[2]
    damage = find_damage(opened)
    assert [one.index for one in damage] == [0, 2, 4]
    for one, name in zip(damage, ["p0/0.png", "p1/2.png", "p2/4.png"], strict=True):
        assert str(tmp_path / name) in one.reason


def test_a_link_that_leads_nowhere_is_a_damaged_picture(faces: FaceList, tmp_path: Path) -> None:
    write_tree(tmp_path, faces)
    whole = open_face_set(tmp_path).digest
    (tmp_path / "p1/gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "p1/album.jpg").mkdir()  # a folder, whatever its name
    opened = open_face_set(tmp_path)
    assert [str(tmp_path / "p1/gone.png") in one.reason for one in find_damage(opened)] == [True]
    assert opened.digest != whole


def test_damaged_pictures_of_a_record_file_are_named(faces: FaceList, tmp_path: Path) -> None:
    sound = encode_picture(faces[0].image, ".png")
    odd = encode_picture(picture(0, (9, 8)), ".png")
    write_records(tmp_path, [(0, sound), (0, b""), (0, odd), (0, sound[:60])], SIZE)
    damage = find_damage(open_face_set(tmp_path))
    assert [one.index for one in damage] == [1, 2, 3]
    for one in damage:
        assert f"record {one.index + 1} of {tmp_path / 'train.rec'}" in one.reason
        assert "\n" not in one.reason


@pytest.mark.parametrize("label", [[0.0, 7.0], [1.0, 0.0]], ids=["the first label is the person", "another person"])
def test_the_first_of_several_labels_is_the_person(label: list, tmp_path: Path) -> None:
    write_records(tmp_path, [(label, encode_picture(picture(0), ".png"))], SIZE, classes=2)
    opened = open_face_set(tmp_path)
    assert opened.labels.tolist() == [label[0]]
    assert opened[0].label == label[0]


def test_labels_that_property_does_not_allow_are_refused(faces: FaceList, tmp_path: Path) -> None:
    write_face_set(tmp_path, faces)
    (tmp_path / "property").write_text("2,10,8\n")
    opened = open_face_set(tmp_path)
    for read in (lambda: opened.labels, lambda: opened[3]):
        with pytest.raises(FacedistillError, match=r"record 4 of .* has the label 2, but property allows 0\.\.1"):
            read()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        pytest.param(lambda _: None, "does not exist", id="nothing there"),
        pytest.param(lambda root: root.write_bytes(b"x"), "is no folder", id="a file"),
        pytest.param(lambda root: root.mkdir(), "is no face set", id="an empty folder"),
        pytest.param(lambda root: write_loose(root), "lies in no person", id="a picture beside the people"),
        pytest.param(lambda root: write_file(root / "p/1.jpg", b"junk"), "not one of the 1", id="no sound picture"),
        pytest.param(lambda root: write_file(root / "train.rec", b"x"), "property is missing", id="half a record set"),
    ],
)
def test_a_set_that_does_not_open_gives_the_reason(build: object, message: str, tmp_path: Path) -> None:
    build(tmp_path / "set")
    with pytest.raises(FacedistillError) as error:
        open_face_set(tmp_path / "set")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_loose(root: Path) -> None:
    for name in ("loose.png", "p/1.png"):
        write_file(root / name, encode_picture(picture(0), ".png"))


def test_colours_survive_in_their_order(tmp_path: Path) -> None:
    red = np.zeros((*SIZE, 3), np.uint8)
    red[..., 0] = 255
    write_face_set(tmp_path, [Face(red, 0, "red")], extension=".jpg")
    found = open_face_set(tmp_path)[0].image
    assert found[5, 4, 0] > 240
    assert found[5, 4, 2] < 15
    data = np.frombuffer((tmp_path / "train.rec").read_bytes()[40 + 8 + 24 :], np.uint8)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR)[5, 4, 2] > 240  # others read the same red
