"""Errors a user can correct: one line with what is wrong, where, and what to do."""


class FacedistillError(Exception):
    """The work failed; the command line prints the message and exits with 1."""

    exit_code = 1


class UsageError(FacedistillError):
    """The call itself was wrong (an argument, a recipe key); exits with 2."""

    exit_code = 2


class AnotherFailedError(FacedistillError):
    """Another process of the run failed and prints the reason; the command line prints nothing.

    Args:
        exit_code: What to exit with; by the default, a launcher knows that the reason is in another process.
    """

    exit_code = 75

    def __init__(self, exit_code: int = exit_code) -> None:
        super().__init__("another process of the run failed")
        self.exit_code = exit_code


class FacedistillWarning(UserWarning):
    """The work goes on, but not as the user may expect; the command line prints the message in one line."""
