"""Errors a user can mend: one line that says what, where and how."""


class FacedistillError(Exception):
    """The work failed; the command line prints the message and exits with 1."""

    exit_code = 1


class UsageError(FacedistillError):
    """The call itself was wrong (an argument, a recipe key); exits with 2."""

    exit_code = 2
