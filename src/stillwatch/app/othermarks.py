"""Marks of other engines: from a scheme's name, a key and settings to a reading.

In: `vllm`, `kgw` or `synthid`; the key that the engine was given; settings by the engine's own names. Out: one reading.
Left to `forensics.marks`: reading. Keys are shown in no message.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np

from stillwatch.forensics.marks.kgw import KgwMark, read_kgw
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.reading import Reading
from stillwatch.forensics.marks.synthid import SynthIdMark, read_synthid
from stillwatch.forensics.marks.vllm import VllmMark, read_vllm
from stillwatch.terms.errors import StillwatchError

Read = Callable[..., Reading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """One engine's mark."""

    mark: type[Any]
    """Settings, by the engine's names."""
    key: str
    """Which of them is the key."""
    many: bool
    """Whether there are several keys."""
    read: Read
    engine: str


OTHERS: Final[Mapping[str, Other]] = {
    "vllm": Other(mark=VllmMark, key="key", many=False, read=read_vllm, engine="vLLM's --watermark-config"),
    "kgw": Other(mark=KgwMark, key="hashing_key", many=False, read=read_kgw, engine="Transformers' WatermarkingConfig"),
    "synthid": Other(
        mark=SynthIdMark, key="keys", many=True, read=read_synthid, engine="Transformers' SynthIDTextWatermarkingConfig"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How another engine was told to mark."""

    keys: tuple[int, ...] = field(default=(), repr=False)
    others: Mapping[str, str] = field(default_factory=dict)
    """By the engine's own names."""


def read_other(scheme: str, text: TokenText, vocabulary: int, settings: Settings, rng: np.random.Generator) -> Reading:
    """Read a text for the mark of another engine.

    Args:
        scheme: A name in `OTHERS`.
        text: Answers in tokens.
        vocabulary: Of the tokeniser; 0 where token ids were given.
        settings: Key and settings.
        rng: Draws the random keys.

    Raises:
        StillwatchError: a setting is unknown or out of range, or the key is missing.
    """
    other = OTHERS[scheme]
    names = {one.name: one.default for one in fields(other.mark)}
    given: dict[str, Any] = {"vocab": vocabulary} if "vocab" in names and vocabulary else {}
    for name, value in settings.others.items():
        if name not in names or name == other.key:
            known = ", ".join(sorted(names.keys() - {other.key}))
            raise StillwatchError(f"{scheme}, setting {name!r}: unknown; {other.engine} has {known}.")
        given[name] = _value(scheme, name, value, names[name])
    if "vocab" in names and "vocab" not in given:
        raise StillwatchError(f"{scheme}: needs the model's vocabulary; give --set vocab=NUMBER, or --tokenizer.")
    if settings.keys:
        given[other.key] = settings.keys if other.many else settings.keys[0]
    elif scheme != "kgw":  # Transformers has a default key of its own there
        raise StillwatchError(f"{scheme}: needs the key of {other.engine}; give it with --key.")
    try:
        return other.read(text, other.mark(**given), rng)
    except ValueError as problem:
        raise StillwatchError(f"{scheme}: {problem}") from None


def _value(scheme: str, name: str, value: str, default: object) -> Any:
    kind = type(default) if isinstance(default, (int, float, str)) else int
    try:
        return kind(value)
    except ValueError:
        raise StillwatchError(f"{scheme}, setting {name}: must be {kind.__name__}, as {default!r} is.") from None
