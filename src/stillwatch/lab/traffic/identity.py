"""Who calls: network addresses, client software, payment, and the account that holds them.

In: the corpus' address ranges and client lists, and a stream of chance. Out: `Caller` records.
These addresses belong to others: they are strings in simulated logs, and nothing is ever sent to them.
"""

import random
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from stillwatch.lab.traffic.corpus import Corpus

Parameters = dict[str, float | str | bool]

SDK_WEIGHTS: Final = {
    "OpenAI/Python": 38,
    "AsyncOpenAI": 14,
    "OpenAI/JS": 14,
    "Anthropic/Python": 7,
    "python-requests": 8,
    "python-httpx": 6,
    "aiohttp": 4,
    "Go-http": 3,
    "okhttp": 2,
    "curl": 2,
}
"""How usual each client is among programs, by what its user agent begins with or holds; others weigh 1."""
VERSIONS: Final = {
    "requests": "2.{}.{}",
    "httpx": "0.{}.{}",
    "aiohttp": "3.{}.{}",
    "curl": "8.{}.{}",
    "okhttp": "4.{}.{}",
}
"""How versions of bare HTTP clients look; SDKs are at 2."""
APP_AGENTS: Final = ("AtlasChat/{v} (iOS)", "AtlasChat/{v} (Android)", "AtlasDesktop/{v}")
MODELS: Final = ("atlas-large", "atlas-medium", "atlas-small")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An account and everything about it that a log shows."""

    name: str
    organisation: str = ""
    plan: str = "free"
    key_id: str
    addresses: tuple[str, ...]
    """Where it calls from; the first most often."""
    agent: str
    tls: str = ""
    payment: str = ""
    model: str = MODELS[0]
    parameters: Parameters = field(default_factory=dict)
    sessions: bool = False
    """Whether its client names its sessions, as chat clients do."""


class Book:
    """Draws addresses and clients with the frequencies of the corpus."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._providers: dict[int, list[tuple[int, int]]] = {}
        for asn, span in zip(corpus.consumer_asns, corpus.consumer, strict=True):
            self._providers.setdefault(asn, []).append(span)
        self._asns = sorted(self._providers)
        self._browser_weights = list(accumulate(weight for _, weight in corpus.browsers))
        self._sdk_weights = list(accumulate(_sdk_weight(pattern) for pattern in corpus.sdks))

    def home(self, rng: random.Random) -> str:
        """Return an address of a consumer provider."""
        first, count = rng.choice(self._providers[rng.choice(self._asns)])
        return _dotted(first + rng.randrange(count))

    def homes(self, rng: random.Random) -> tuple[str, ...]:
        """Return one to three addresses of one person: home (which may be leased anew), mobile."""
        first = self.home(rng)
        return tuple([first, *(self.home(rng) for _ in range(rng.choice((0, 0, 1, 1, 2))))])

    def site(self, rng: random.Random) -> str:
        """Return the first three numbers of a /24 in a data centre."""
        return _within(rng, rng.choice(self._corpus.datacentre))

    def campus(self, rng: random.Random) -> str:
        """Return the first three numbers of a /24 of a consumer provider."""
        return self.home(rng).rpartition(".")[0]

    def tunnel(self, rng: random.Random) -> str:
        """Return an address of a VPN."""
        return host(rng, _within(rng, rng.choice(self._corpus.vpn)))

    def browser(self, rng: random.Random) -> tuple[str, str]:
        """Return a browser's user agent and JA4."""
        agent = rng.choices(self._corpus.browsers, cum_weights=self._browser_weights)[0][0]
        return agent, self._tls(rng, _engine(agent))

    def app(self, rng: random.Random) -> tuple[str, str]:
        """Return a person's client: mostly a browser, sometimes the provider's own app."""
        if rng.random() < 0.75:
            return self.browser(rng)
        return rng.choice(APP_AGENTS).replace("{v}", f"2.{min(11, int(rng.expovariate(0.4)))}"), ""

    def sdk(self, rng: random.Random) -> tuple[str, str]:
        """Return a program's user agent and JA4; new versions are the most usual."""
        pattern = rng.choices(self._corpus.sdks, cum_weights=self._sdk_weights)[0]
        age = min(40, int(rng.expovariate(0.15)))
        agent = pattern.replace("{py}", f"3.{13 - age % 4}").replace("{v}", _version(pattern, age))
        if "Go-http" in agent:
            return agent, self._tls(rng, "GoLang")
        return agent, self._python_tls(agent) if "ython" in agent else ""

    def _python_tls(self, agent: str) -> str:
        known = [ja4 for client, ja4 in self._corpus.ja4 if client == "Python"]
        if not known:
            return ""
        return known[2 % len(known)] if "aiohttp" in agent else known[1 % len(known) if "requests" in agent else 0]

    def _tls(self, rng: random.Random, client: str) -> str:
        known = [ja4 for name, ja4 in self._corpus.ja4 if client in name and ja4.startswith("t")]
        return known[min(len(known) - 1, int(rng.expovariate(0.9)))] if known else ""


def host(rng: random.Random, network: str) -> str:
    """Return an address in the /24 that `network` begins."""
    return f"{network}.{rng.randint(2, 250)}"


def _sdk_weight(pattern: str) -> int:
    return next((weight for mark, weight in SDK_WEIGHTS.items() if mark in pattern), 1)


def _version(pattern: str, age: int) -> str:
    """Return the version that is `age` releases old."""
    form = next((form for mark, form in VERSIONS.items() if mark in pattern), "")
    return form.format(max(1, 28 - age // 4), age % 4) if form else f"2.{60 - age}.{age % 3}"


def _engine(agent: str) -> str:
    if "Firefox" in agent:
        return "Firefox"
    return "Safari" if "Chrome" not in agent and "Safari" in agent else "Chromium"


def _dotted(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _within(rng: random.Random, cidr: str) -> str:
    base, _, length = cidr.partition("/")
    a, b, c, d = (int(part) for part in base.split("."))
    size = 1 << (32 - int(length))
    return _dotted((a << 24 | b << 16 | c << 8 | d) + rng.randrange(size)).rpartition(".")[0]
