"""The process that renders a set in the background: `python -m facedistill.synth.grow`, see `renderers`.

The first line of its standard input is the job. Its parent holds that open, and it ends when that does: so it ends with
its parent, however that ends.
"""

import json
import os
import sys
import threading
from pathlib import Path

from facedistill.errors import FacedistillError
from facedistill.progress import notify
from facedistill.synth.dataset import write_synthetic

_NICENESS = 19  # only what nobody else wants of the cores


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):  # not by `sys.stdin`, which would be locked at the end
        pass
    os._exit(1)


def main() -> int:
    """Renders the set of the job: the arguments of `write_synthetic` as JSON."""
    arguments = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    try:
        write_synthetic(**arguments | {"out": Path(arguments["out"]), "size": tuple(arguments["size"])})
    except FacedistillError as error:
        notify(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
