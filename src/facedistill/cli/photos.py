"""The command about one photo, and what commands about photos share: which face, and where it was found."""

from facedistill.cli.screen import show
from facedistill.cli.values import check_outputs, write_json
from facedistill.errors import UsageError
from facedistill.faces import FaceChoice
from facedistill.runtime import UsedFace


def embed(photo: str, model: str | None = None, face: str | None = None, json: str | None = None) -> None:
    """Turns the face in a photo into the numbers that a model knows it by.

    Args:
        photo: A photo.
        model: A model file or a shipped model's name; by default what $FACEDISTILL_MODEL names, else slim-m.
        face: Which of several faces: largest, centre, or N, the N-th most prominent.
        json: Also write the embedding and where the face was found here; - is the screen.
    """
    from facedistill.model_file import NATIVE
    from facedistill.runtime import Recognizer

    check_outputs(json)
    recognizer = Recognizer(model)
    found = recognizer.templates(photo, face_choice(face))
    embedding, name = found.embeddings[NATIVE], recognizer.metadata.name
    assert found.face is not None, "it was found in a photo"
    show(f"{photo}: {found_at(found.face)}, {found.rows:.0f} rows; {len(embedding)} numbers by {name}")
    if json:
        figures = {"box": list(found.face.box), "score": found.face.score, "rows": found.rows}
        write_json(json, {"photo": photo, "model": name, **figures, "embedding": embedding.tolist()})


def face_choice(text: str | None) -> FaceChoice | None:
    """Reads largest, centre or a number from 1.

    Raises:
        UsageError: It is none of these.
    """
    if text is None or text == "largest" or text == "centre":
        return text  # type: ignore[return-value] # mypy does not narrow to the literals
    if text.isascii() and text.isdecimal() and len(text) < 5 and int(text):
        return int(text)
    raise UsageError(f"face is {text!r}; give largest, centre or N, a number from 1")


def face_choices(text: str | None) -> tuple[FaceChoice | None, FaceChoice | None]:
    """Reads a choice for both of two photos, or one for each with a comma between: 2,1.

    Raises:
        UsageError: It is none of these.
    """
    first, comma, second = (text or "").partition(",")
    return face_choice(first or None), face_choice((second if comma else first) or None)


def found_at(face: UsedFace) -> str:
    """Where a face was found, in words."""
    left, top, right, bottom = face.box
    return f"face at ({left:.0f}, {top:.0f}, {right:.0f}, {bottom:.0f}), score {face.score:.3f}"
