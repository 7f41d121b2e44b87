"""The answer to a comparison of two faces."""

from dataclasses import dataclass

from facedistill.model_file import NATIVE
from facedistill.runtime.templates import UsedFace


@dataclass(frozen=True)
class Verification:
    """The answer to "are these two the same person?".

    Attributes:
        same: `similarity >= threshold`.
        similarity: Cosine of the two embeddings, -1..1.
        threshold: Least similarity called the same person.
        fmr: The false match rate that the threshold stands for, on the people it was calibrated on.
        probability: Of the same person, 0..1, if either answer is as likely beforehand; None where the model file
            carries none. It does not depend on `fmr`: a strict `fmr` rejects pairs that are probably the same person.
        resolution: Condition whose threshold and probability were used: "native"; "matched 16" where the smaller face
            has that many rows and the other was degraded to about as many; "both 16" where both were about so
            small. Of a model file without matched conditions: "16" where the other face is native, and embedded as it
            is.
        rows: Of the two faces, in the order given; None where only their similarity was known.
        faces: Where the two were found, in the order given; None where that is not known.
        calibration: On whom threshold and probability were measured; "" where the model file does not state it.
    """

    same: bool
    similarity: float
    threshold: float
    fmr: float
    probability: float | None = None
    resolution: str = NATIVE
    rows: tuple[float, float] | None = None
    faces: tuple[UsedFace, UsedFace] | None = None
    calibration: str = ""
