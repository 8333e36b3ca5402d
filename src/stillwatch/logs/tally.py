"""What came out of a file: rows good, bad and outside, which fields they had, and why rows were bad.

In: batches of exchanges. Out: counts; no text, no id. Cost: about 1.5 microseconds an exchange.
Left to `coverage`: what the fields are enough for.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from stillwatch.terms.exchange import Exchange

TEXT_FIELDS = (
    "organisation plan key_id address agent tls payment session model endpoint parameters messages tools aside answer "
    "finish"
).split()
"""Fields that are given when they are not empty."""


@dataclass(slots=True)
class Tally:
    """Counts over one file or, merged, over many; plain values throughout, so that it can be kept as JSON."""

    rows: int = 0
    """Records met: good + bad + outside + other."""
    good: int = 0
    bad: int = 0
    outside: int = 0
    """Good rows before `since` or from `until` on, which are passed over."""
    other: int = 0
    """Records of another kind, such as spans that are no model call."""
    assumed_times: int = 0
    """Good rows of batch files that carry no time and took the file's modification time."""
    fields: dict[str, int] = field(default_factory=Counter)
    """Good rows that have each field of `Exchange`; also `user_text`, `assistant_turns`, `images`,
    and `unread`: parts that no reader opens."""
    reasons: dict[str, int] = field(default_factory=Counter)
    """Bad rows by the start of their reason: the field, up to the colon."""
    importer: str = ""
    """Name of the importer, several joined by `+`; empty before the first row."""
    first: float | None = None
    """Earliest request among the good rows, seconds since 1970; None before the first."""
    last: float | None = None

    def add(self, batch: Sequence[Exchange]) -> None:
        """Count the exchanges of one batch."""
        fields = self.fields
        self.good += len(batch)
        fields["time"] += len(batch)
        fields["account"] += len(batch)
        for name in TEXT_FIELDS:
            fields[name] += sum(map(bool, (getattr(exchange, name) for exchange in batch)))
        for exchange in batch:
            if exchange.tokens_in >= 0:
                fields["tokens_in"] += 1
            if exchange.tokens_out >= 0:
                fields["tokens_out"] += 1
            if exchange.latency >= 0:
                fields["latency"] += 1
            self._add_turns(exchange)
        times = [exchange.time for exchange in batch]
        self._span(min(times, default=None), max(times, default=None))

    def _add_turns(self, exchange: Exchange) -> None:
        user = assistant = images = unread = False
        for message in exchange.messages:
            if message.role == "user":
                user = user or bool(message.text)
            elif message.role == "assistant":
                assistant = assistant or bool(message.text)
            images = images or bool(message.images)
            unread = unread or message.unread > 0
        self.fields["user_text"] += user
        self.fields["assistant_turns"] += assistant
        self.fields["images"] += images
        self.fields["unread"] += unread

    def refuse(self, reason: str) -> None:
        """Count one bad row under the start of its reason."""
        self.bad += 1
        self.reasons[reason.partition(":")[0].partition(";")[0][:80]] += 1

    def merge(self, other: "Tally") -> None:
        """Add the counts of `other` to this one."""
        for name in ("rows", "good", "bad", "outside", "other", "assumed_times"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.fields = Counter(self.fields) + Counter(other.fields)
        self.reasons = Counter(self.reasons) + Counter(other.reasons)
        self._span(other.first, other.last)
        names = {name for name in (*self.importer.split("+"), *other.importer.split("+")) if name}
        self.importer = "+".join(sorted(names))

    def _span(self, first: float | None, last: float | None) -> None:
        if first is not None:
            self.first = first if self.first is None else min(first, self.first)
        if last is not None:
            self.last = last if self.last is None else max(last, self.last)

    @property
    def bad_share(self) -> float:
        """Share of the records that are bad, in [0, 1]; what `--max-bad` is held against."""
        return self.bad / self.rows if self.rows else 0.0
