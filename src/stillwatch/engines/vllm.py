"""Marks in vLLM: a logits processor for model runner V2, the default of vLLM 0.33.

In: vLLM's batches, with the gateway's signed order in `vllm_xargs` (`SamplingParams.extra_args`). Out: marked logits.
Start vLLM with
    export STILLWATCH_MARK_RING=STATE/marks/ring.json
    vllm serve MODEL --logits-processors stillwatch.engines.vllm:StillwatchMark
It is named there and not registered as an entry point: V2 ends at start-up when any installed entry point of the group
`vllm.logits_processors` is not for V2, and V1 skips those in silence. `StillwatchMark` is made when it is asked for, so
this module can be imported without vLLM.
Green marks add to raw logits, for drafts of speculative decoding too. Keyed draws scale and truncate by themselves,
since processors run before vLLM does, leave one token, and are not made for greedy requests or under speculative
decoding. Where the provider's tier is enough, vLLM's own `--watermark-config` is faster; `Epoch.native_key` reads it.
Cost: one transfer from the device a step, then 40 microseconds a row for green.
Left to the gateway: taking `vllm_xargs` and `watermarking` away from clients. There is no proxy here: an order of
`experts` is only marked, logged once and counted.
"""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stillwatch.engines.draws import cut, fresh_noise, keyed_noise
from stillwatch.engines.ringfile import RingFile
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.gumbel import GumbelAnswer
from stillwatch.treatments.marks.order import NAME
from stillwatch.treatments.marks.sampling import Sampling

if TYPE_CHECKING:
    import torch

REFUSE_VARIABLE: Final = "STILLWATCH_MARK_REFUSE"
"""Environment variable: when it is 1, requests with an order that does not read are refused instead of unmarked."""


INTERFACE: Final = "vllm.v1.worker.gpu.sample.logits_processor"
"""Module of vLLM whose `LogitsProcessor` V2 asks for."""


@dataclass(slots=True)
class Slot:
    """One request's place in the batch."""

    mark: GreenMark | GumbelAnswer
    sampling: Sampling
    rng: np.random.Generator
    said: list[int] = field(default_factory=list, repr=False)
    """Tokens of the answer, for keyed draws."""

    @property
    def width(self) -> int:
        """Tokens in a context."""
        return self.mark.epoch.width


class MarkProcessor:
    """What `StillwatchMark` does; has every method that V2 calls."""

    def __init__(self, vllm_config: Any, req_states: Any) -> None:
        """Take vLLM's settings and its view of the requests.

        Raises:
            StillwatchError: `STILLWATCH_MARK_RING` is not set.
        """
        self._states = req_states
        self._ring = RingFile.from_environment()
        self._slots: dict[int, Slot] = {}

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Refuse an order that does not read, where `STILLWATCH_MARK_REFUSE` is 1.

        Raises:
            ValueError: as vLLM wants it; the caller sees HTTP 400.
        """
        order = _order(sampling_params)
        if order is None or os.environ.get(REFUSE_VARIABLE) != "1":
            return
        try:
            RingFile.from_environment().read(order)
        except StillwatchError as problem:
            raise ValueError(str(problem)) from None

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        """Note a request's mark; slots are used again, so what was there goes."""
        self._slots.pop(req_idx, None)
        order = _order(sampling_params)
        mark = self._ring.mark(order) if order is not None else None
        if mark is None:
            return False
        how = _sampling(sampling_params)
        if not isinstance(mark, GreenMark) and how.greedy:
            return False
        rng = np.random.default_rng(getattr(sampling_params, "seed", None))
        self._slots[req_idx] = Slot(mark if isinstance(mark, GreenMark) else mark.answer(), how, rng)
        return True

    def apply_staged_writes(self) -> None:
        """Nothing is staged."""

    def apply(self, logits: "torch.Tensor", ctx: Any) -> "torch.Tensor":
        """Mark the rows of requests that have one, in place; shape (rows, vocab)."""
        if not any(int(slot) in self._slots for slot in ctx.idx_mapping_np):
            return logits
        plain = logits.shape[0] == len(ctx.idx_mapping_np)
        owners = [int(slot) for slot in (ctx.idx_mapping_np if plain else ctx.expanded_idx_mapping.tolist())]
        rows = [row for row, slot in enumerate(owners) if slot in self._slots]
        tails = self._tails(rows, owners, None if plain else ctx)
        green = [i for i, row in enumerate(rows) if isinstance(self._slots[owners[row]].mark, GreenMark)]
        if green:
            self._favour(logits, [rows[i] for i in green], [owners[rows[i]] for i in green], [tails[i] for i in green])
        if plain and len(green) < len(rows):
            self._draw(logits, [row for row in rows if isinstance(self._slots[owners[row]].mark, GumbelAnswer)], owners)
        return logits

    def _tails(self, rows: list[int], owners: list[int], ctx: Any | None) -> list[list[int]]:
        """Return the latest tokens of each row's answer, drafts included; notes what was said for keyed draws."""
        import torch

        states, width = self._states, 1 + max(self._slots[owners[row]].width for row in rows)
        slots = torch.tensor([owners[row] for row in rows], device=states.device)
        total = states.total_len.gpu[slots].long()
        places = total[:, None] - torch.arange(width, 0, -1, device=states.device)[None, :]
        latest = states.all_token_ids.gpu[slots[:, None], places.clamp(min=0)].long()
        fetched = torch.cat([total[:, None], latest], dim=1).tolist()
        out = []
        for row, (length, *tokens) in zip(rows, fetched, strict=True):
            said = max(0, length - int(states.prompt_len.np[owners[row]]))
            tail = tokens[max(0, width - said) :] if said else []
            self._note(owners[row], length, said, tail)
            out.append(tail)
        if ctx is not None:
            local, fed = ctx.expanded_local_pos.tolist(), ctx.input_ids.tolist()
            out = [[*tail, *fed[row - local[row] + 1 : row + 1]] for row, tail in zip(rows, out, strict=True)]
        return out

    def _note(self, slot: int, length: int, said: int, tail: list[int]) -> None:
        """Keep a keyed draw's answer up to date: one more token as a rule, all of it where something else happened."""
        one = self._slots[slot]
        if isinstance(one.mark, GreenMark):
            return
        before = tail[:-1] if said == len(one.said) + 1 else tail
        if said - len(one.said) in (0, 1) and one.said[len(one.said) - len(before) :] == before:
            one.said += tail[len(before) :]
        else:
            one.said = self._states.all_token_ids.gpu[slot, length - said : length].tolist()

    def _favour(
        self, logits: "torch.Tensor", rows: list[int], owners: list[int], tails: Sequence[Sequence[int]]
    ) -> None:
        import torch

        vocab = logits.shape[-1]
        marks = [self._slots[slot].mark for slot in owners]
        words = np.stack([m.words(tail, vocab) for m, tail in zip(marks, tails, strict=True)])  # type: ignore[union-attr]
        packed = torch.from_numpy(words.view(np.int64)).to(logits.device)
        bits = packed[:, :, None] >> torch.arange(64, device=logits.device) & 1
        deltas = logits.new_tensor([m.delta for m in marks])[:, None]  # type: ignore[union-attr]
        sure = logits.new_tensor([m.sure for m in marks])[:, None]  # type: ignore[union-attr]
        which = torch.tensor(rows, device=logits.device)
        plain = logits[which]
        deltas = deltas * (plain.amax(-1, keepdim=True) - plain.logsumexp(-1, keepdim=True) < sure)
        logits[which] = plain + deltas * bits.reshape(len(rows), -1)[:, :vocab]

    def _draw(self, logits: "torch.Tensor", rows: list[int], owners: list[int]) -> None:
        import torch

        slots = [self._slots[owners[row]] for row in rows]
        which = torch.tensor(rows, device=logits.device)
        ready = cut(logits[which], [slot.sampling for slot in slots])
        draws = [slot.mark.next_draw(slot.said, slot.rng) for slot in slots]  # type: ignore[union-attr]
        for chosen in _same_width(draws):
            part = torch.tensor(chosen, device=logits.device)
            found = [draws[i] for i in chosen]
            if found[0] is None:
                more = fresh_noise(len(chosen), logits.shape[-1], [slots[i].rng for i in chosen], logits.device)
            else:
                contexts, keys = zip(*(draw for draw in found if draw is not None), strict=True)
                more = keyed_noise(keys, contexts, logits.shape[-1], logits.device)
            ready[part] += more
        token = ready.argmax(dim=-1)
        kept = logits[which, token]
        logits[which] = -float("inf")
        logits[which, token] = kept


def _order(sampling_params: Any) -> object | None:
    given = getattr(sampling_params, "extra_args", None)
    return given.get(NAME) if isinstance(given, dict) else None


def _sampling(sampling_params: Any) -> Sampling:
    return Sampling(
        temperature=float(sampling_params.temperature), top_k=int(sampling_params.top_k),
        top_p=float(sampling_params.top_p), min_p=float(sampling_params.min_p),
    )  # fmt: skip


def _same_width(draws: Sequence[tuple[tuple[int, ...], int] | None]) -> list[list[int]]:
    """Return the rows grouped by width of context; those without a key are a group of their own."""
    groups: dict[int, list[int]] = {}
    for i, draw in enumerate(draws):
        groups.setdefault(len(draw[0]) if draw else 0, []).append(i)
    return list(groups.values())


def __getattr__(name: str) -> Any:
    """Make `StillwatchMark` when vLLM asks for it."""
    if name != "StillwatchMark":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        base = importlib.import_module(INTERFACE).LogitsProcessor
    except ImportError as problem:
        raise ImportError(
            "vLLM with model runner V2 is not installed here: install vllm 0.33 or later, or use "
            "`stillwatch.engines.transformers`."
        ) from problem
    made = type(name, (MarkProcessor, base), {"__doc__": MarkProcessor.__doc__, "__module__": __name__})
    globals()[name] = made
    return made
