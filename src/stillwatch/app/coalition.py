"""A member's desk: settings, file and voice together, for the commands of `stillwatch coalition`.

In: a settings file, a state folder, what a person asks. Out: what was told, pulled or listed.
Left to `coalitionpublish`, `coalitionpull`, `coalitionsay`: each of these.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from stillwatch.app.advisories import PulledAdvisories
from stillwatch.app.coalitionitems import Items, read_items
from stillwatch.app.coalitionmember import author_of, open_received, reach_of
from stillwatch.app.coalitionpublish import Ask, Publisher, Told, check_tellable
from stillwatch.app.coalitionpull import Pulled, pull
from stillwatch.app.coalitionsay import Dispute, Sight, dispute, sight, withdraw
from stillwatch.app.coalitionstanding import unsupported
from stillwatch.app.control import open_control
from stillwatch.app.recognition import match_again
from stillwatch.app.settings import Settings, load_settings
from stillwatch.exchange.stix.write import Written
from stillwatch.exchange.taxii.received import Received
from stillwatch.policy.publish import publishable_tokens
from stillwatch.store.control import FILE_NAME as CONTROL
from stillwatch.store.tokenindex import FILE_NAME, SqliteTokens
from stillwatch.terms.coalition import Advisory
from stillwatch.terms.errors import StillwatchError

Sent = tuple[dict[str, Any], ...]


class Desk:
    """One member's desk; use with `with`."""

    def __init__(self, settings: Settings, state: Path) -> None:
        self._settings, self._config, self._state = settings, settings.coalition, state
        self._received: Received = open_received(state)

    @classmethod
    def of(cls, settings: Path | None, state: Path) -> Self:
        """Open the desk of a settings file and a state folder."""
        return cls(load_settings(settings), state)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._received.close()

    async def publish(self, ask: Ask, file: Path | None, now: float, *, dry_run: bool = False) -> Told:
        """Tell of a confirmed campaign, with the tokens of a file, or else of those made from live traffic.

        Raises:
            StillwatchError: nobody confirmed it, there is nothing to tell, or the hub does not take it.
        """
        author = author_of(self._config, self._state)
        publisher = Publisher(author, self._config, self._received)
        items = _items(file)

        def tokens(accounts: Sequence[str]) -> Mapping[tuple[str, str], bytes]:
            return _tokens_of(items, accounts) if file else self._indexed(accounts)

        with open_control(self._state, new=False) as book:
            told, written = publisher.write(book, ask, tokens, items, now)
        if not dry_run:
            await publisher.send(reach_of(self._config), written, ask.subject, ask.by, now)
            told = replace(told, sent=True)
        return told

    def pulls(self, *, follow: bool) -> Iterator[Pulled | str]:
        """Pull once, or again and again; a failure while following is given as its message.

        Raises:
            StillwatchError: the first pull failed.
        """
        reach, first = reach_of(self._config), True
        while True:
            began = time.monotonic()
            try:
                done = asyncio.run(pull(self._config, reach, self._received, time.time()))
                PulledAdvisories(self._state).put([a for a in self._received.all() if a.tokens])
                match_again(self._state, self._settings, time.time())
                yield replace(done, unsupported=tuple(f"{s} {why}" for s, why in self._unsupported().items()))
            except StillwatchError as problem:
                if first or not follow:
                    raise
                yield str(problem)
            if not follow:
                return
            first = False
            with suppress(KeyboardInterrupt):
                time.sleep(max(0.0, self._config.poll_seconds - (time.monotonic() - began)))
                continue
            return

    async def sight(self, said: Sight, by: str, now: float) -> Sent:
        """Tell that an indicator was seen here."""
        return await self._say(sight(self._received, self._author(), said, now), said.indicator, by, now)

    async def dispute(self, said: Dispute, by: str, now: float) -> Sent:
        """Disagree with a warning."""
        return await self._say(dispute(self._received, self._author(), said, now), said.subject, by, now)

    async def revoke(self, name: str, by: str, now: float) -> Sent:
        """Withdraw what was published."""
        found = withdraw(self._received, self._author(), name, now)
        return await self._say(found.written, found.subject, by, now)

    def warnings(self, now: float) -> list[dict[str, Any]]:
        """Return every advisory that was pulled, and how it stands."""
        names = self._received.organisations()
        return [
            {"id": a.id, "campaign": a.campaign, "organisation": names.get(a.organisation, a.organisation),
             "kind": a.kind, "epoch": a.epoch, "until": a.valid_until, "state": _standing(a, now),
             "disputed_by": [names.get(o, o) for o in a.disputed_by]}
            for a in self._received.all()
        ]  # fmt: skip

    def own(self) -> list[dict[str, Any]]:
        """Return what was published from here, and whether it still has its ground."""
        lost = {subject: f"told, {why}" for subject, why in self._unsupported().items()}
        return [
            {"subject": subject, "type": item["type"], "id": item["id"],
             "state": "withdrawn" if item.get("revoked") is True else lost.get(subject, "told")}
            for subject, item in self._received.own() if item["type"] != "relationship"
        ]  # fmt: skip

    def _unsupported(self) -> dict[str, str]:
        if not (self._received.told() and (self._state / CONTROL).exists()):
            return {}
        with open_control(self._state, new=False) as book:
            return unsupported(book, self._received, time.time())

    def _author(self) -> Any:
        return author_of(self._config, self._state)

    async def _say(self, written: Written, subject: str, by: str, now: float) -> Sent:
        check_tellable(written)
        publisher = Publisher(self._author(), self._config, self._received)
        await publisher.send(reach_of(self._config), written, subject, by, now)
        return written.objects

    def _indexed(self, accounts: Sequence[str]) -> Mapping[tuple[str, str], bytes]:
        path = self._state / FILE_NAME
        if not path.exists():
            return {}
        with closing(SqliteTokens(path)) as index:
            return {
                (kind, epoch): held
                for epoch in index.epochs()
                for kind, held in index.publishable(accounts, epoch).items()
            }


def _items(file: Path | None) -> Items:
    if file is None:
        return Items()
    try:
        with file.open(encoding="utf-8") as lines:
            return read_items(lines)
    except (OSError, UnicodeDecodeError):
        raise StillwatchError(f"--tokens {file}: cannot be read as JSON lines in UTF-8.") from None


def _tokens_of(items: Items, accounts: Sequence[str]) -> dict[tuple[str, str], bytes]:
    return {
        (kind, epoch): held
        for epoch, rows in items.holdings.items()
        for kind, held in publishable_tokens(rows, accounts).items()
    }


def _standing(advisory: Advisory, now: float) -> str:
    if advisory.revoked:
        return "withdrawn"
    if advisory.disputed_by:
        return "disputed"
    if advisory.valid_until <= now:
        return "expired"
    return "in force" if advisory.tokens else "without tokens"
