"""How two processes of one machine speak about a store: a JSON header, then arrays, over a socket.

In: a header and at most one array. Out: the same on the other side. A message is a frame of
`magic, header length, slice count`, the header, and that many slices, each `length, npy bytes`.
Nothing is unpickled. Cost: one copy of the array on each side. Every length is bounded before it is
read. Left to `serve` and `remote`: what the headers mean.
"""

import io
import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.terms.errors import StillwatchError

SOCKET_NAME: Final = "owner.sock"
MAX_HEADER_BYTES: Final = 16 << 20
MAX_ARRAY_BYTES: Final = 4 << 30
"""Bytes of one message's array; an ingest sends many messages."""

_MAGIC: Final = b"swj1"
_FRAME: Final = struct.Struct(">4sII")
_LENGTH: Final = struct.Struct(">Q")
_SLICE_BYTES: Final = 16 << 20
_MAX_ADDRESS: Final = 100
"""Socket paths end at 104 to 108 bytes, by system."""

Array = npt.NDArray[Any]


def send(connection: socket.socket, header: dict[str, Any], array: Array | None = None) -> None:
    """Send one message.

    Args:
        connection: Where to.
        header: JSON values.
        array: Shape (n,), sent in slices so that neither side holds it twice.

    Raises:
        StillwatchError: the header is too long.
        OSError: the other side is gone.
    """
    text = json.dumps(header).encode()
    if len(text) > MAX_HEADER_BYTES:
        raise StillwatchError(f"store socket: a header of {len(text)} bytes: must be at most {MAX_HEADER_BYTES}.")
    slices: list[Array] = []
    if array is not None:
        rows = max(1, _SLICE_BYTES // array.dtype.itemsize)
        slices = [array[start : start + rows] for start in range(0, max(len(array), 1), rows)]
    connection.sendall(_FRAME.pack(_MAGIC, len(text), len(slices)) + text)
    for part in slices:
        packed = io.BytesIO()
        np.lib.format.write_array(packed, np.ascontiguousarray(part), allow_pickle=False)
        connection.sendall(_LENGTH.pack(packed.tell()))
        connection.sendall(packed.getbuffer())


def receive(connection: socket.socket) -> tuple[dict[str, Any], Array | None]:
    """Return the next message: its header, and its array if it carries one.

    Raises:
        StillwatchError: the bytes are no message, or one that is too large.
        EOFError: the other side closed.
        OSError: the other side is gone, or silent for too long.
    """
    magic, length, n_slices = _FRAME.unpack(_exactly(connection, _FRAME.size))
    if magic != _MAGIC or length > MAX_HEADER_BYTES or n_slices > 2 * MAX_ARRAY_BYTES // _SLICE_BYTES:
        raise StillwatchError("store socket: not a message of this version; use the same version on both sides.")
    try:
        header = json.loads(bytes(_exactly(connection, length)))
        parts, total = [], 0
        for _ in range(n_slices):
            (size,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
            total += size
            if size > 2 * _SLICE_BYTES or total > MAX_ARRAY_BYTES:
                raise StillwatchError(f"store socket: an array of over {MAX_ARRAY_BYTES} bytes; ask for less at once.")
            parts.append(np.lib.format.read_array(io.BytesIO(_exactly(connection, size)), allow_pickle=False))
    except ValueError as error:
        raise StillwatchError("store socket: a message that cannot be read; use one version on both sides.") from error
    if not isinstance(header, dict):
        raise StillwatchError("store socket: a header that is no JSON object.")
    return header, np.concatenate(parts) if parts else None


@contextmanager
def address(folder: Path) -> Iterator[str]:
    """Yield the name of the folder's socket in a form short enough for the system.

    Raises:
        StillwatchError: the path is too long and this system knows no shorter form.
    """
    path = str(folder / SOCKET_NAME)
    if len(os.fsencode(path)) <= _MAX_ADDRESS:
        yield path
        return
    if not Path("/proc/self/fd").is_dir():
        raise StillwatchError(f"store {folder}: path too long for a socket; use a folder with a shorter path.")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)


def _exactly(connection: socket.socket, size: int) -> bytearray:
    held = bytearray(size)
    view = memoryview(held)
    while view:
        n = connection.recv_into(view)
        if n == 0:
            raise EOFError("the other side closed the connection")
        view = view[n:]
    return held
