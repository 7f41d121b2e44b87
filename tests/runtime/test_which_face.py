"""Photos of several people: refused, or the face that is named; and the answer tells which one was used."""

import json

import numpy as np
import pytest

from facedistill.cli.main import main
from facedistill.datasets import load_orl
from facedistill.errors import UsageError
from facedistill.faces import SeveralFacesError
from facedistill.pictures import encode_picture
from facedistill.runtime import Recognizer

LEFT, RIGHT = load_orl()[0].image, load_orl()[50].image  # two people
BOTH = np.hstack([LEFT, RIGHT])
MIDDLE = LEFT.shape[1]


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer("slim-m", threads=1)


def centre_column(face):
    return (face.box[0] + face.box[2]) / 2


@pytest.mark.parametrize(
    ("call", "names"),
    [
        pytest.param(lambda known: known.embed(BOTH), "picture: 2 faces", id="embed"),
        pytest.param(lambda known: known.templates(BOTH), "picture: 2 faces", id="templates"),
        pytest.param(lambda known: known.verify(BOTH, LEFT), "picture a: 2 faces", id="verify, the first"),
        pytest.param(lambda known: known.verify(LEFT, BOTH), "picture b: 2 faces", id="verify, the second"),
        pytest.param(lambda known: known.compare(known.templates(LEFT), BOTH), "probe: 2 faces", id="compare"),
    ],
)
def test_two_faces_of_like_prominence_are_refused_with_their_boxes(recognizer, call, names):
    with pytest.raises(SeveralFacesError, match=rf"^{names} of like prominence; pass a crop, or --face") as caught:
        call(recognizer)
    boxes = [face.box for face in recognizer.detect(BOTH)]
    assert len(boxes) == 2
    assert all(f"({', '.join(f'{edge:.0f}' for edge in box)})" in str(caught.value) for box in boxes)


def test_the_face_that_is_named_is_compared_and_the_answer_names_its_box(recognizer):
    """1 and 2 count by prominence, so between them they are the two people."""
    answers = [recognizer.verify(BOTH, person, face=(face, None)) for person in (LEFT, RIGHT) for face in (1, 2)]
    assert [answer.same for answer in answers] == [True, False, False, True]
    columns = [centre_column(answer.faces[0]) for answer in answers]
    assert [column < MIDDLE for column in columns] == [True, False, True, False]
    assert all(centre_column(answer.faces[1]) < MIDDLE for answer in answers)
    assert all(0.9 < face.score <= 1 for answer in answers for face in answer.faces)


def test_one_choice_counts_for_both_photos(recognizer):
    assert recognizer.verify(BOTH, BOTH, face=2).similarity == pytest.approx(1, abs=1e-5)
    assert recognizer.verify(BOTH, BOTH, face=(1, 2)).similarity < 0.9


def test_largest_and_centre(recognizer):
    """A large face beside the middle, and a smaller one nearer to it."""
    wide = np.zeros((260, 420, 3), np.uint8)
    wide[20:244, 0:184] = np.kron(LEFT, np.ones((2, 2, 1), np.uint8))
    wide[80:192, 190:282] = RIGHT
    largest, centre = (recognizer.templates(wide, face=face).face for face in ("largest", "centre"))
    assert centre_column(largest) < 190 < centre_column(centre)
    assert recognizer.verify(wide, RIGHT, face=("centre", None)).same


@pytest.mark.parametrize(
    ("face", "match"),
    [
        pytest.param(3, "picture shows 2 faces, so there is no face 3: 1 at", id="one more than there are"),
        pytest.param(0, "face is 0; give", id="counting starts at 1"),
        pytest.param(True, "face is True; give", id="a truth value is no number"),
        pytest.param("biggest", "face is 'biggest'; give", id="no such word"),
    ],
)
def test_a_choice_that_means_nothing_is_refused(recognizer, face, match):
    with pytest.raises(UsageError, match=match):
        recognizer.embed(BOTH, face=face)


def test_a_number_is_not_taken_for_the_only_face(recognizer):
    """The detector may have missed the one that was meant."""
    with pytest.raises(UsageError, match="picture b shows 1 face, so there is no face 2"):
        recognizer.verify(BOTH, LEFT, face=2)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name, image in {"left": LEFT, "right": RIGHT, "both": BOTH}.items():
        (folder / f"{name}.png").write_bytes(encode_picture(image, ".png"))
    return folder


def test_the_command_verify_refuses_or_names_the_faces(files, capsys):
    group, right, out = str(files / "both.png"), str(files / "right.png"), files / "answer.json"
    assert main(["verify", group, right]) == 1
    assert f"{group}: 2 faces of like prominence" in capsys.readouterr().err
    assert main(["verify", group, right, "--face", "2,1", "--json", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("the same person")
    faces = json.loads(out.read_text())["faces"]
    assert [f"{name}: face at" for name in (group, right)] == [line.partition(" (")[0] for line in lines[1:]]
    assert faces[0]["box"][0] > MIDDLE
    assert f"score {faces[1]['score']:.3f}" in lines[2]


def test_the_command_embed_gives_the_embedding_and_names_the_face(files, recognizer, capsys):
    group, out = str(files / "both.png"), files / "embedding.json"
    assert main(["embed", group]) == 1
    assert "2 faces of like prominence" in capsys.readouterr().err
    assert main(["embed", group, "--face", "2", "--json", str(out)]) == 0
    written = json.loads(out.read_text())
    assert written["box"][0] > MIDDLE
    np.testing.assert_allclose(written["embedding"], recognizer.embed(BOTH, face=2), atol=1e-6)
    assert f"score {written['score']:.3f}" in capsys.readouterr().out


@pytest.mark.parametrize("face", ["0", "-1", "1.5", "nan", "biggest", "1,2,3", "9" * 400])
def test_the_command_refuses_other_choices(files, capsys, face):
    assert main(["verify", str(files / "left.png"), str(files / "left.png"), f"--face={face}"]) == 2
    assert "face is" in capsys.readouterr().err
