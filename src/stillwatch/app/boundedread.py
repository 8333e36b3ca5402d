"""Read a file that somebody else wrote, up to a size.

In: a path, the most bytes. Out: its bytes. Left to the caller: what they mean.
"""

from pathlib import Path

from stillwatch.terms.errors import StillwatchError


def read_bounded(path: Path, most: int) -> bytes:
    """Return a file's bytes.

    Raises:
        StillwatchError: it cannot be read, or has more than `most` bytes; no more than that is read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as problem:
        raise StillwatchError(f"{path.name}: {problem.strerror}; make it readable.") from None
    if len(content) > most:
        raise StillwatchError(f"{path.name}: has more than {most >> 20} MiB; read it where it lies.")
    return content
