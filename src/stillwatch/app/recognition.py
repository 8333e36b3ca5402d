"""Match what was pulled with who carries which tokens here, and tell workers and analysts.

In: advisories of the state folder, the token index, settings, the clock. Out: `warned.json` for the workers,
`coalition/matches.json` for people, and the same as records. Both are replaced whole, so that a revocation or a
dispute that was pulled takes a match away at once; a new match takes effect late, as verdicts do.
Cost: one look-up a published token. Left to `policy.coalition`: what counts.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.app.advisories import PulledAdvisories
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.notaries import trust_of
from stillwatch.app.settings import Settings
from stillwatch.app.state import master_key
from stillwatch.app.subjects import Claim
from stillwatch.exchange.notary.epochs import number_of
from stillwatch.gateway.published import replace_whole
from stillwatch.gateway.warned import read_warned, write_warned
from stillwatch.policy.coalition import Match, Recognised, recognise
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.pace import later
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.tokenindex import FILE_NAME, SqliteTokens
from stillwatch.terms.action import Warned
from stillwatch.terms.coalition import TokenIndex
from stillwatch.terms.errors import StillwatchError

PACE_PURPOSE: Final = "policy pace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the last look at the advisories came to, as it lies on disk."""

    made_at: float
    """Wall time, seconds since 1970."""
    found: Recognised


def matches_path(state: Path) -> Path:
    """Return where the last matches lie, there or not."""
    return state / "coalition" / "matches.json"


def open_tokens(state: Path) -> SqliteTokens:
    """Open the token index of a state folder; close it.

    Raises:
        StillwatchError: the file cannot be opened.
    """
    return SqliteTokens(state / FILE_NAME)


def drop_old(index: SqliteTokens, epoch: str) -> None:
    """Drop everything of epochs before the one that came before this.

    Raises:
        StillwatchError: the index cannot be written.
    """
    number = number_of(epoch)
    index.keep_only([epoch, *(name for name in index.epochs() if number_of(name) >= number - 1)])


def match_now(state: Path, settings: Settings, index: TokenIndex, now: float) -> Recognised:
    """Match, and tell workers and analysts.

    Raises:
        StillwatchError: what was pulled, or the index, is damaged.
        OSError: the state folder cannot be written.
    """
    found = recognise(PulledAdvisories(state).all(), index, trust_of(settings), now)
    matches_path(state).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_whole(matches_path(state), msgspec.json.encode(Kept(made_at=now, found=found)))
    path = LiveFolder(state).warned
    try:
        before = read_warned(path)
    except StillwatchError:
        before = {}
    key = KeyRing(master_key(state)).lasting(PACE_PURPOSE)
    warned = {one.account: _warned(one, before.get(one.account), settings.policy, key, now) for one in found.matches}
    if warned != before or not path.exists():
        write_warned(path, tuple(warned.values()))
    return found


def match_again(state: Path, settings: Settings, now: float) -> None:
    """Match where this provider holds tokens, so that a withdrawal takes effect with the pull that brought it.

    Raises:
        StillwatchError, OSError: as `match_now`.
    """
    if (state / FILE_NAME).exists():
        index = open_tokens(state)
        try:
            match_now(state, settings, index, now)
        finally:
            index.close()


def tokens_held(state: Path, account: str) -> list[dict[str, str | float]]:
    """Return what an account carries, for its holder: tokens in hexadecimal, which stand for values of its own."""
    if not (state / FILE_NAME).exists():
        return []
    index = open_tokens(state)
    try:
        held = index.held_by([account])
    finally:
        index.close()
    return [
        {"epoch": epoch, "kind": one.kind, "token": one.token.hex(), "seen": one.seen}
        for epoch, found in held.items()
        for one in found
    ]


def forget_tokens(state: Path, account: str) -> int:
    """Drop what an account carries; return how many tokens went. A match of it goes with the next look."""
    if not (state / FILE_NAME).exists():
        return 0
    index = open_tokens(state)
    try:
        return index.forget(account)
    finally:
        index.close()


def kept_matches(state: Path) -> Kept | None:
    """Return what the last look came to; None where there was none.

    Raises:
        StillwatchError: the file is damaged.
    """
    try:
        return msgspec.json.decode(matches_path(state).read_bytes(), type=Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as problem:
        raise StillwatchError(
            f"{matches_path(state)}: cannot be read ({type(problem).__name__}); `stillwatch coalition match` writes it "
            "again."
        ) from None


def claims_of_matches(state: Path) -> tuple[Claim, ...]:
    """Return one claim for each account that warnings match: for a person to look at, never accused by it.

    Raises:
        StillwatchError: the file is damaged.
    """
    kept = kept_matches(state)
    if kept is None:
        return ()
    return tuple(
        Claim(
            subject=one.account, kind="account", accounts=(one.account,), log_e=0.0, accused=False,
            since=kept.made_at, expires=one.until, receipt=_receipt(one), source="coalition",
        )
        for one in kept.found.matches
    )  # fmt: skip


def _warned(one: Match, before: Warned | None, policy: PolicyConfig, key: bytes, now: float) -> Warned:
    """Return what workers are told; an account that is warned of already keeps its beginning."""
    since = before.since if before is not None else now
    effective = before.effective if before is not None else later(now, one.campaigns[0], one.account, policy, key)
    return Warned(
        account=one.account, organisations=len(one.organisations), families=one.families, since=since,
        effective=effective, expires=one.until,
    )  # fmt: skip


def _receipt(one: Match) -> str:
    return hashlib.blake2b(msgspec.json.encode(one), digest_size=16).hexdigest()
