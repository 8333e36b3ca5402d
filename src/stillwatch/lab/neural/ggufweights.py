"""Weights of a small GGUF model as NumPy arrays, so that a thief's base can be made of them.

In: a file of llama architecture whose tensors are F32, Q8_0 or Q4_1. Out: arrays by name, and the numbers at its head.
Cost: 2 s and 0.6 GB for 135 million parameters. Facts that are texts or lists are passed over.
Source: the GGUF specification of ggml, versions 2 and 3; block layouts of ggml `ggml-common.h`.
"""

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from stillwatch.terms.errors import StillwatchError

FloatArray = npt.NDArray[np.float32]
_PLAIN: Final = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _LIST = 8, 9
F32, Q4_1, Q8_0 = 0, 3, 8
_BLOCK: Final = 32
_Q8: Final = np.dtype([("scale", "<f2"), ("values", "i1", (_BLOCK,))])
_Q4: Final = np.dtype([("scale", "<f2"), ("least", "<f2"), ("values", "u1", (_BLOCK // 2,))])


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What a net is built from."""

    facts: dict[str, float] = field(repr=False)
    """Numbers at the head, such as `llama.block_count`."""
    tensors: dict[str, FloatArray] = field(repr=False)
    """By name, such as `blk.0.attn_q.weight`; a matrix has shape (out, in)."""


def read_weights(path: Path) -> Weights:
    """Return the numbers and tensors of a GGUF file.

    Raises:
        StillwatchError: it cannot be read, is no such file, or has tensors of another kind.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF" or _number(file, 4) not in (2, 3):
                raise StillwatchError(f"model file {path.name}: is no GGUF file of version 2 or 3.")
            tensors = int(_number(file, 10))
            facts: dict[str, float] = {}
            for _ in range(int(_number(file, 10))):
                name = _text(file)
                value = _value(file, int(_number(file, 4)))
                facts |= {} if value is None else {name: value}
            heads = [_head(file) for _ in range(tensors)]
            step = int(facts.get("general.alignment", 32))
            begin = -(-file.tell() // step) * step
            return Weights(facts, {name: _tensor(file, path, begin, rest) for name, *rest in heads})
    except OSError as problem:
        raise StillwatchError(f"model file {path.name}: {problem.strerror}; give a file that can be read.") from None
    except (struct.error, KeyError, ValueError):
        raise StillwatchError(f"model file {path.name}: ends too early or is damaged; fetch it again.") from None


def _number(file: BinaryIO, kind: int) -> Any:
    form = _PLAIN[kind]
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _text(file: BinaryIO) -> str:
    return file.read(int(_number(file, 10))).decode("utf-8", "replace")


def _value(file: BinaryIO, kind: int) -> float | None:
    """Read a value and return it where it is a number."""
    if kind == _TEXT:
        _text(file)
        return None
    if kind != _LIST:
        return float(_number(file, kind))
    inner, count = int(_number(file, 4)), int(_number(file, 10))
    if inner in (_TEXT, _LIST):
        for _ in range(count):
            _value(file, inner)
    else:
        file.seek(count * struct.calcsize(_PLAIN[inner]), 1)
    return None


def _head(file: BinaryIO) -> tuple[str, tuple[int, ...], int, int]:
    """Return a tensor's name, shape, kind and place."""
    name, axes = _text(file), int(_number(file, 4))
    shape = tuple(int(_number(file, 10)) for _ in range(axes))[::-1]
    return name, shape, int(_number(file, 4)), int(_number(file, 10))


def _tensor(file: BinaryIO, path: Path, begin: int, head: list[Any]) -> FloatArray:
    shape, kind, place = head
    size = math.prod(shape)
    file.seek(begin + place)
    if kind == F32:
        return np.frombuffer(file.read(4 * size), "<f4").reshape(shape).copy()
    if kind not in (Q8_0, Q4_1):
        raise StillwatchError(f"model file {path.name}: has tensors of kind {kind}; F32, Q8_0 and Q4_1 are read here.")
    form = _Q8 if kind == Q8_0 else _Q4
    blocks = np.frombuffer(file.read(form.itemsize * (size // _BLOCK)), form)
    return (q8(blocks) if kind == Q8_0 else q4(blocks)).reshape(shape)


def q8(blocks: npt.NDArray[Any]) -> FloatArray:
    """Return the numbers of Q8_0 blocks, shape (n, 32): scale times value."""
    return np.asarray(blocks["scale"].astype(np.float32)[:, None] * blocks["values"], np.float32)


def q4(blocks: npt.NDArray[Any]) -> FloatArray:
    """Return the numbers of Q4_1 blocks, shape (n, 32): scale times value plus the least; low halves come first."""
    values = np.concatenate((blocks["values"] & 15, blocks["values"] >> 4), axis=1).astype(np.float32)
    return np.asarray(
        blocks["scale"].astype(np.float32)[:, None] * values + blocks["least"].astype(np.float32)[:, None], np.float32
    )
