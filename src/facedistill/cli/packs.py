"""The commands that carry a run elsewhere, in one file."""

from pathlib import Path

from facedistill.cli.screen import show
from facedistill.cli.values import check_outputs
from facedistill.files import sole_writer


def pack(run: str, file: str, light: bool = False) -> None:
    """Writes everything that must travel for a run to go on elsewhere into one file.

    Args:
        run: The run folder.
        file: The pack.
        light: Leave out the optimiser's moments, the head and the best net, and store half floats.
    """
    from facedistill.training.pack import pack_run

    check_outputs(file)
    with sole_writer(Path(run)):
        size = pack_run(Path(run), Path(file), light)
    show(f"{file}: {size / 1e6:.1f} MB; `facedistill unpack {file} RUN` makes a run folder of it")


def unpack(file: str, run: str) -> None:
    """Makes a run folder of a pack.

    Args:
        file: A file that `facedistill pack` wrote.
        run: The run folder to make.
    """
    from facedistill.training.pack import unpack_run

    with sole_writer(Path(run)):
        unpack_run(Path(file), Path(run))
    show(f"{run}: go on with `facedistill distill --resume {run}`")
