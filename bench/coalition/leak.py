"""What can whoever has everything that is published, and one notary's key, find out by guessing?

In: a seed, a number of guesses, a file that holds how far it came. Out: how many of 1,000 planted values each attacker
recovers. The planted values are 500 addresses in a row of guesses and 500 cards of one issuer; the guesses hold them
all, so that an attacker who can test a guess finds every one: two controls do, one with a key that all members share
(HMAC), one with both notaries' keys.

What one key can compute of a guess x, and what is tried here:
  first key   F1(x), which is what the second notary is given; equal to a token only if the second did nothing;
              F1(F1(x)), equal only if both notaries had one key.
  second key  F2(x), equal only if the first did nothing; F2(F2(x)), equal only if both had one key.
The token is SHA-512 of F1(x) and of a point k2*H(F1(x)); to test a guess one needs that point, which is the
Diffie-Hellman value of k2*G and H(F1(x)). No list of guesses helps. What a notary was sent on the wire holds nothing:
for every guess there is exactly one blind that leads to it.

Cost: about 70 microseconds an evaluation: 12 minutes of one core and key for 10^7 guesses. Interruptible; it goes on
where it was. The second key is tried on `--second` of the guesses.
"""

import argparse
import hmac
import ipaddress
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from stillwatch.exchange.notary.blind import NotaryKey
from stillwatch.exchange.notary.series import oblivious_input
from stillwatch.exchange.notary.values import address, payment
from stillwatch.terms.coalition import TOKEN_BYTES

PLANTED: Final = 1_000
STEP: Final = 20_000
TWICE: Final = 100
"""One guess in so many is also tried against two notaries of one key."""


class World:
    """Keys, planted values and guesses of one seed."""

    def __init__(self, seed: int, guesses: int) -> None:
        rng = random.Random(seed)
        self.guesses = guesses
        self.first, self.second = (NotaryKey(rng.randbytes(32)) for _ in range(2))
        self.shared = rng.randbytes(32)
        self._base = int(ipaddress.IPv4Address("62.0.0.0"))
        self._issuer = rng.randrange(400_000, 560_000)
        half = guesses // 2
        places = rng.sample(range(half), PLANTED // 2) + [half + at for at in rng.sample(range(half), PLANTED // 2)]
        self.planted = [self.canonical(at) for at in places]
        assert self.planted == [self.guess(at) for at in places]
        self.tokens = frozenset(self.second.output(self.first.output(x))[:TOKEN_BYTES] for x in self.planted)
        self.hmacs = frozenset(hmac.digest(self.shared, x, "sha256")[:TOKEN_BYTES] for x in self.planted)

    def guess(self, at: int) -> bytes:
        """Return guess number `at` as it goes into the first notary's function: addresses, then cards."""
        half = self.guesses // 2
        if at < half:
            n = self._base + at
            return b"stillwatch:1:address:%d.%d.%d.%d" % (n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255)
        return b"stillwatch:1:payment:" + self._card(at - half).encode()

    def _card(self, at: int) -> str:
        expiry = at // 10_000
        return f"card:{self._issuer}-{at % 10_000:04}-{expiry % 12 + 1:02}{expiry // 12 % 100:02}"

    def canonical(self, at: int) -> bytes:
        """Return the same by way of the functions that members use."""
        half = self.guesses // 2
        if at < half:
            return oblivious_input(address(str(ipaddress.IPv4Address(self._base + at))))
        return oblivious_input(payment(self._card(at - half)))


ATTACKERS: Final = ("first key", "second key")


def attack(world: World, name: str, begin: int, end: int) -> int:
    """Return how many tokens one attacker meets with guesses `begin` to `end`; with one key it can do no more."""
    output, tokens, found = (world.first if name == ATTACKERS[0] else world.second).output, world.tokens, 0
    for at in range(begin, end):
        once = output(world.guess(at))
        found += once[:TOKEN_BYTES] in tokens
        if at % TWICE == 0:
            found += output(once)[:TOKEN_BYTES] in tokens
    return found


def controls(world: World) -> dict[str, int]:
    """Return what those recover who can test a guess: a shared key over all guesses, both keys over some."""
    shared = sum(hmac.digest(world.shared, x, "sha256")[:TOKEN_BYTES] in world.hmacs for x in all_guesses(world))
    rng = random.Random(1)
    some = {*world.planted, *(world.guess(rng.randrange(world.guesses)) for _ in range(9 * PLANTED))}
    both = sum(world.second.output(world.first.output(x))[:TOKEN_BYTES] in world.tokens for x in some)
    return {"shared HMAC key": shared, "both keys": both}


def all_guesses(world: World) -> Iterator[bytes]:
    """Yield every guess."""
    return (world.guess(at) for at in range(world.guesses))


def run(seed: int, most: dict[str, int], kept: Path) -> dict[str, Any]:
    """Return the figures; goes on where `kept` says. `most` has the guesses of each attacker."""
    guesses = most[ATTACKERS[0]]
    world = World(seed, guesses)
    state: dict[str, Any] = {"seed": seed, "guesses": guesses, "seconds": 0.0}
    for name in ATTACKERS:
        state |= {name: 0, f"{name} done": 0}
    if kept.exists():
        before = json.loads(kept.read_text())
        state = before if (before["seed"], before["guesses"]) == (seed, guesses) else state
    for name in ATTACKERS:
        while (done := state[f"{name} done"]) < most[name]:
            begun, end = time.process_time(), min(done + STEP, most[name])
            state[name] += attack(world, name, done, end)
            state[f"{name} done"] = end
            state["seconds"] += time.process_time() - begun
            draft = kept.with_suffix(".draft")
            draft.write_text(json.dumps(state))
            draft.replace(kept)
            print(f"\r{name}: {end:,} of {most[name]:,} guesses", end="", flush=True)
    print()
    return {**state, **controls(world)}


def main() -> None:
    """Print what each attacker recovers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guesses", type=int, default=10_000_000)
    parser.add_argument("--second", type=int, default=10_000_000, help="guesses with the second key")
    parser.add_argument("--kept", type=Path, default=Path("coalition-leak.json"), help="how far it came")
    given = parser.parse_args()
    most = dict(zip(ATTACKERS, (given.guesses, min(given.second, given.guesses)), strict=True))
    found = run(given.seed, most, given.kept)
    print(f"{PLANTED:,} planted values among {given.guesses:,} guesses, {found['seconds']:.0f} s of one core")
    for name in ATTACKERS:
        print(f"{name:16} recovers {found[name]:,} of {PLANTED:,} with {most[name]:,} guesses")
    for name in ("both keys", "shared HMAC key"):
        print(f"{name:16} recovers {found[name]:,} of {PLANTED:,}")


if __name__ == "__main__":
    main()
