"""The few ways in which Stillwatch refuses to go on; a class only where a caller acts differently.

Every message names the thing, what it is, what it must be and what to do next; never a key, a
prompt or an answer. The command line turns each class into its own exit code.
"""


class StillwatchError(Exception):
    """Something the user can put right; the command line prints it and exits with 2."""

    exit_code = 2


class InputTooBad(StillwatchError):
    """More rows of the input were bad than the user allowed; exits with 3 after the work is kept."""

    exit_code = 3


class StoreBusy(StillwatchError):
    """Another process owns the store's folder and does not answer on its socket."""
