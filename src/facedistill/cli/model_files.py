"""The commands about model files: what they cost, writing one, which are shipped, using one."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from facedistill.cli.photos import face_choices, found_at
from facedistill.cli.screen import console, show
from facedistill.cli.values import check_outputs, crop_size, write_json
from facedistill.errors import FacedistillError
from facedistill.model_file import NATIVE

_LISTED = (NATIVE, "16", "8")


def info(
    net: str,
    width: float | None = None,
    se: bool = False,
    input: str | None = None,  # noqa: A002 - the option's name
    json: str | None = None,
    mean: float | None = None,
    std: float | None = None,
    channels: Literal["rgb", "bgr"] | None = None,
    size: str | None = None,
    layout: Literal["nchw", "nhwc"] | None = None,
    output: str | None = None,
) -> None:
    """Prints what a net costs and sees: parameters, multiply-accumulates, size, receptive field, metadata.

    Of a foreign ONNX file also how it is used as a teacher, and how well that tells rendered people apart.

    Args:
        net: A backbone's name, a shipped model's, a checkpoint or an ONNX file.
        width: For a name: factor on all channel counts, 1 by default.
        se: For a name: with squeeze-and-excitation.
        input: For a name: crop, height x width, 112x96 by default.
        json: Also write the figures here; - is the screen.
        mean: For a foreign net: subtracted from each pixel, 0..255.
        std: For a foreign net: what the difference is divided by.
        channels: For a foreign net: the channel order it was trained with.
        size: For a foreign ONNX file: crop, height x width, where the file leaves it open or it is no convention's.
        layout: For a foreign ONNX file: where the file leaves it open.
        output: For a foreign ONNX file: the embedding's name, where several outputs may be it.
    """
    from facedistill.export.info import info_lines, net_info
    from facedistill.teachers.stated import Stated

    check_outputs(json)
    stated = Stated(mean, std, channels, None if size is None else crop_size(size), layout, output)
    figures = net_info(net, width, se, None if input is None else crop_size(input), stated)
    for line in info_lines(figures):
        show(line)
    if json:
        write_json(json, asdict(figures))


def export(
    run: str, out: str, calibrate_on: str | None = None, weights: Literal["float32", "int8"] = "float32"
) -> None:
    """Writes a run's best net as one ONNX file with preprocessing inside, proven equal to the trained net.

    Args:
        run: A run folder, or RUN/control.
        out: The model file to write, OUT.onnx.
        calibrate_on: `orl`, `posed` (rendered people who are hard to tell apart, for real faces) or a face set of
            people who were not trained on, to measure thresholds and probability on; by default
            the run's validation people, who are often too few for small false match rates.
        weights: `int8` makes the file about a quarter as large; the thresholds are those of the rounded weights.
    """
    from facedistill.pipelines.faces import export_run

    check_outputs(out)
    proof = export_run(Path(run), Path(out), calibrate_on, weights)
    size = Path(out).stat().st_size / 1e6
    cosine = f" (cosine {proof.least_cosine:.4f} or more)" if weights == "int8" else ""
    show(f"{out}: {size:.2f} MB, differs from the trained net by at most {proof.max_difference:.1g}{cosine}")


def models(json: str | None = None) -> None:
    """Lists the models that come with the package, with the figures of their cards.

    Args:
        json: Also write them here; - is the screen.
    """
    from rich.table import Table

    from facedistill.models import FOLDER, read_figures, shipped_models

    check_outputs(json)
    cards = {name: read_figures(name) for name in shipped_models()}
    if not cards:
        raise FacedistillError("no model is shipped with this installation; distil one: facedistill distill RECIPE")
    table = Table(caption="EER: of all 40 people of ORL, both pictures at the same resolution; cards: " + str(FOLDER))
    for heading in ("name", "file, MB", "parameters", *(f"EER at {at}, %" for at in _LISTED), "licence"):
        table.add_column(heading, justify="left" if heading in ("name", "licence") else "right")
    for name, card in cards.items():
        cells = card["tests"]["orl"]["models"][name]["both"]
        rates = (f"{100 * cells[at]['eer']:.1f}" for at in _LISTED)
        size, parameters = f"{card['file']['bytes'] / 1e6:.2f}", f"{card['file']['parameters']:,}"
        table.add_row(name, size, parameters, *rates, card["licence"])
    console().print(table)
    if json:
        write_json(json, cards)


def verify(
    a: str, b: str, model: str | None = None, fmr: float = 1e-3, face: str | None = None, json: str | None = None
) -> None:
    """Says whether two photos show the same person, compared at the resolution of the smaller face.

    Args:
        a: A photo.
        b: Another.
        model: A model file or a shipped model's name; by default what $FACEDISTILL_MODEL names, else slim-m.
        fmr: The share of wrong matches to accept.
        face: Of a photo that shows several: largest, centre, or N, the N-th most prominent. For both photos, or one
            choice for each: 2,1.
        json: Also write the answer here; - is the screen.
    """
    from facedistill.runtime import Recognizer

    check_outputs(json)
    answer = Recognizer(model).verify(a, b, fmr=fmr, face=face_choices(face))
    verdict = "the same person" if answer.same else "different people"
    likely = "" if answer.probability is None else f"; probability {answer.probability:.3f} at even odds"
    assert answer.rows is not None, "both pictures were given"
    assert answer.faces is not None, "both pictures were given"
    show(
        f"{verdict}: similarity {answer.similarity:.3f}, threshold {answer.threshold:.3f} (FMR {answer.fmr:g}, "
        f"condition {answer.resolution}; faces of {answer.rows[0]:.0f} and {answer.rows[1]:.0f} rows){likely}; "
        f"calibrated {answer.calibration or 'on people that the model file does not name'}"
    )
    for photo, used in zip((a, b), answer.faces, strict=True):
        show(f"{photo}: {found_at(used)}")
    if json:
        write_json(json, asdict(answer))
