"""Read texts for marks: ours under every epoch of a state folder, or another engine's under a key that is given.

In: a `MarkRequest`. Out: a `MarkReport`: every hypothesis that stands out or was asked for, with its exact p-value
after Holm over all that were tried, and who is named. Texts are in memory alone.
Cost: 1 s, and 3 s more for 10,000 accounts.
Left to `ownmarks` and `othermarks`: which reader. Left to the caller: printing.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from stillwatch.app.control import open_control
from stillwatch.app.markreport import Line, MarkReport, line_of, report_of
from stillwatch.app.markring import load_ring, marked_in
from stillwatch.app.marktexts import Given, read_given
from stillwatch.app.othermarks import OTHERS, Settings, read_other
from stillwatch.app.ownmarks import Tried, read_engine, read_wording
from stillwatch.engines.tokens import load_tokens
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.lab.teacher import PACKAGE, model_file
from stillwatch.store.control import FILE_NAME
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.ring import Epoch

OURS: Final = "ours"
WORDING: Final = "surface"
SCHEMES: Final = (OURS, WORDING, *OTHERS)
SEED: Final = 20_260_101
"""Of the random keys, so that the same text gives the same report; they need not be secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRequest:
    """What to read, and for what."""

    files: tuple[Path, ...]
    tokenizer: Path | None = None
    """A `tokenizer.json` or `.gguf`; None for the embedded teacher's."""
    state: Path
    scheme: str = OURS
    """One of `SCHEMES`."""
    alpha: float = 1e-6
    """Chance that anything at all is found where there is no mark; between 0 and 1."""
    suspects: tuple[str, ...] = ()
    """Accounts to try and no others; every tier is read for each."""
    everyone: bool = False
    """Try every account of the control file, not only those of whom it was noted that they were marked."""
    settings: Settings = field(default_factory=Settings)
    """For marks of others."""


def read_marks(request: MarkRequest) -> MarkReport:
    """Read texts for marks.

    Raises:
        StillwatchError: a file cannot be read, there is nothing to read or no keys to read with, or the tokeniser is
            not of the model that was marked.
    """
    given = read_given(request.files)
    rng = np.random.default_rng(SEED)
    if request.scheme == WORDING:
        return _worded(request, given, rng)
    text, tokenizer, vocabulary = _tokens(request, given)
    if request.scheme == OURS:
        lines = [line for epoch in load_ring(request.state).epochs
                 for line in read_engine(epoch, text, vocabulary, _tried(request, epoch), rng)]  # fmt: skip
    else:
        lines = [line_of(read_other(request.scheme, text, vocabulary, request.settings, rng))]
    sizes = (len(text.starts), len(text.tokens))
    return report_of(lines, sizes=sizes, tokenizer=tokenizer, scheme=request.scheme, alpha=request.alpha)


def _worded(request: MarkRequest, given: Given, rng: np.random.Generator) -> MarkReport:
    if not given.texts:
        raise StillwatchError("watermark detect: the mark in the wording is read in text; token ids will not do.")
    lines = list[Line]()
    for epoch in load_ring(request.state).epochs:
        lines += read_wording(epoch, given.texts, _tried(request, epoch), rng)
    return report_of(lines, sizes=(len(given.texts), 0), tokenizer="", scheme=WORDING, alpha=request.alpha)


def _tokens(request: MarkRequest, given: Given) -> tuple[TokenText, str, int]:
    """Return everything in tokens, the tokeniser's name, and the size of its vocabulary; 0 where none was needed."""
    documents, name, size = list(given.tokens), "", 0
    if given.texts or request.tokenizer is not None:
        path = request.tokenizer or model_file()
        if path is None:
            raise StillwatchError(
                f"watermark detect: text needs the tokeniser of the model that was marked; the model file of {PACKAGE} "
                "is not installed here. Name one with --tokenizer: a tokenizer.json or a .gguf file."
            )
        tokens = load_tokens(path)
        documents += tokens.all_ids(given.texts)
        name, size = tokens.name, tokens.vocabulary
    text = TokenText.of(documents)
    if not len(text.tokens):
        raise StillwatchError("watermark detect: the files hold no text; give files with text or token ids.")
    return text, name, size


def _tried(request: MarkRequest, epoch: Epoch) -> Tried:
    """Return whom to try in one epoch."""
    noted = [one for one in marked_in(request.state) if one.epoch == epoch.number]
    accounts = {one.account for one in noted}
    if request.suspects:
        accounts = set(request.suspects)
        noted = [one for one in noted if one.account in accounts]
    elif request.everyone or not accounts:
        accounts |= _every_account(request.state)
    campaigns = {one.campaign for one in noted} - {""}
    return Tried(tuple(sorted(accounts)), tuple(sorted(campaigns)), bool(request.suspects))


def _every_account(state: Path) -> set[str]:
    if not (state / FILE_NAME).exists():
        return set()
    with open_control(state, new=False) as book:
        return {record.account for record in book.accounts()}
