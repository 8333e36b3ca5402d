"""Settings of private matching, section `[matching]` of the settings file; frozen and checked when built."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError

IDENTITY_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchConfig:
    """Section `[matching]`: tokens through two notaries, and how far other providers' warnings are believed."""

    live: bool = False
    """Make tokens of payment, address and repeated texts of live traffic, so that a warning is matched at once. Needs
    both notaries. Without it `stillwatch coalition match --accounts FILE` makes tokens of an export."""
    first_url: str = ""
    """Address of the notary that values go to first, such as `https://notary-a.example`; the same for all members."""
    first_identity: str = ""
    """Its identity, 64 hexadecimal digits, as `stillwatch notary keys` prints it there; have it told another way."""
    first_key_env: str = ""
    """Environment variable with this member's API key there."""
    first_key_file: str = ""
    """File whose first line is that key; used when `first_key_env` is empty."""
    first_ca_file: str = ""
    """PEM file of the authority that signed its certificate; empty for the system's."""
    second_url: str = ""
    """Address of the notary that the first one's outputs go to; run by another organisation."""
    second_identity: str = ""
    """Its identity, 64 hexadecimal digits."""
    second_key_env: str = ""
    """Environment variable with this member's API key there."""
    second_key_file: str = ""
    """File whose first line is that key; used when `second_key_env` is empty."""
    second_ca_file: str = ""
    """PEM file of the authority that signed its certificate; empty for the system's."""
    batch: int = 512
    """Values sent to a notary at once; from 1 to 1,024."""
    timeout_seconds: float = 30.0
    """Deadline of one request to a notary, all of it, in seconds; above 0."""
    repeats: int = 3
    """Texts in which a band must be seen before it is made a token; 1 or more. What is said once is no template."""
    most_waiting: int = 50_000
    """Values that wait in memory to be made tokens, at most; beyond, they are left out and counted."""
    poll_seconds: float = 60.0
    """How often the watcher matches again where nothing new was pulled, in seconds; above 0."""
    organisations: tuple[str, ...] = ()
    """STIX ids of the organisations whose warnings count; empty for all that the hub verified."""
    common_share: float = 0.05
    """Share of the accounts with tokens that one organisation's warnings may match; beyond, all of them are set aside
    for a person. Between 0 and 1."""

    def __post_init__(self) -> None:
        for name, low in (("batch", 0), ("repeats", 0), ("most_waiting", 0)):
            check_range(f"matching.{name}", getattr(self, name), low=low, high=1025 if name == "batch" else 1e9)
        for name in ("timeout_seconds", "poll_seconds"):
            check_range(f"matching.{name}", getattr(self, name), low=0.0, high=86_400.0)
        check_range("matching.common_share", self.common_share, low=0.0, high=1.0)
        for place in ("first", "second"):
            self._check_notary(place)
        if self.live and not self.notaries:
            raise StillwatchError(
                "matching.live = true: needs both notaries; give first_url, first_identity, second_url and "
                "second_identity under [matching]."
            )
        if self.notaries and self.first_identity == self.second_identity:
            raise StillwatchError(
                "matching.first_identity and second_identity are equal: two organisations must run the notaries, or "
                "one of them can test every guess alone."
            )

    @property
    def notaries(self) -> bool:
        """Whether both notaries are named."""
        return bool(self.first_url and self.second_url)

    def _check_notary(self, place: str) -> None:
        url, identity = getattr(self, f"{place}_url"), getattr(self, f"{place}_identity")
        if bool(url) != bool(identity):
            raise StillwatchError(f"matching.{place}_url and {place}_identity go together; give both or neither.")
        if url and urlsplit(url).scheme not in ("http", "https"):
            raise StillwatchError(f"matching.{place}_url = {url!r}: must be an address such as https://notary.example.")
        digits = identity.lower()
        if identity and (len(digits) != IDENTITY_DIGITS or set(digits) - set("0123456789abcdef")):
            raise StillwatchError(
                f"matching.{place}_identity: must be {IDENTITY_DIGITS} hexadecimal digits, as `stillwatch notary keys` "
                "prints them."
            )
