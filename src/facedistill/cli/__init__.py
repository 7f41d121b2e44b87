"""The command line."""

from facedistill.cli.main import main

__all__ = ["main"]
