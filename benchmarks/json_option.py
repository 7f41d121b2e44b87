"""The command line of benchmarks that write what they measure to `--json FILE`."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facedistill.files import write_text


def json_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the script's docstring as its help, and the option `--json`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser


def write_json(options: argparse.Namespace, figures: Mapping[str, Any]) -> None:
    """Writes the figures where `--json` was given."""
    if options.json:
        write_text(options.json, json.dumps(figures, indent=1) + "\n")
