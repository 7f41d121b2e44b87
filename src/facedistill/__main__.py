"""`python -m facedistill`, which is also what `torchrun -m facedistill` starts."""

import sys

from facedistill.cli import main

sys.exit(main())
