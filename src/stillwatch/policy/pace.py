"""Pace: when a change of verdict takes effect, so that trying things out teaches a thief little.

In: the moment of a change, campaign, account, key. Out: a later moment on the grid plus a keyed delay.

What is promised, for B = `batch_seconds`, W = `jitter_seconds` and S = 1 + W / 2B, whole batches of delay that
members of a campaign share: (1) Tries of one account within one batch lead to one moment: the effect does not tell
which it was. (2) Whoever sees the effect on one account, or on any number of members of one campaign at once,
names the batch of the cause with a chance of at most 1 / S (1 in 3 by default) where W is a multiple of 2B and at
least that; of k tries a batch, the try with at most 1 / kS. (3) Without the key no delay can be computed; the
same change gets the same delay after a restart. Not promised: secrecy of *that* an account is acted on, once an
action bites; nor anything against a thief who waits for each answer, one try every B + W.
"""

import hashlib
import hmac
import math

from stillwatch.policy.config import PolicyConfig

_SPAN = 2.0**64


def later(moment: float, campaign: str | None, account: str, config: PolicyConfig, key: bytes) -> float:
    """Return when a change at `moment` takes effect; later than it by more than 0 and at most B + W.

    Args:
        moment: Seconds since 1970.
        campaign: Whose members share part of the delay; None for an account alone.
        account: Account id.
        config: Grid and width.
        key: Secret of the delays.
    """
    batch = math.floor(moment / config.batch_seconds) + 1
    start = batch * config.batch_seconds
    if config.jitter_seconds <= 0.0:
        return start
    steps = math.floor(config.jitter_seconds / 2.0 / config.batch_seconds) + 1
    common = math.floor(_share(key, "campaign", campaign or account, batch) * steps) * config.batch_seconds
    own = _share(key, "account", account, batch) * (config.jitter_seconds - (steps - 1) * config.batch_seconds)
    return start + common + own


def turn_of(moment: float, account: str, config: PolicyConfig, key: bytes) -> int:
    """Return the number of the account's turn at `moment`; turns are B + W long and begin at a keyed phase."""
    length = config.batch_seconds + config.jitter_seconds
    return math.floor(moment / length + _share(key, "turn", account, 0))


def _share(key: bytes, use: str, name: str, batch: int) -> float:
    """Return a number in [0, 1) that only the key's holder can compute."""
    text = f"stillwatch pace|{use}|{batch}|{name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hmac.digest(key, text, hashlib.sha256)[:8], "big") / _SPAN
