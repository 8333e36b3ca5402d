"""Settings of a member of a coalition, section `[coalition]`; frozen and checked when built."""

import re
from dataclasses import dataclass
from typing import Final

from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError

LEVELS: Final = ("clear", "green", "amber", "amber+strict")
LONGEST_DAYS: Final = 90.0
_IDENTITY: Final = re.compile(r"identity--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoalitionConfig:
    """Section `[coalition]`: the hub that this provider tells and hears warnings at."""

    url: str = ""
    """Address of the hub's discovery, such as `https://hub.example/taxii2/`; empty for no coalition."""
    collection: str = "warnings"
    """Id or alias of the collection."""
    organisation: str = ""
    """STIX id of this provider's organisation, as `stillwatch coalition members add` printed it at the hub."""
    key_file: str = ""
    """File with the member's key; readable by its owner only. Empty for the variable STILLWATCH_COALITION_KEY."""
    ca_file: str = ""
    """Certificates that the hub's is checked against (PEM); empty for those of the system."""
    certificate: str = ""
    """Certificate that this member shows (PEM), where the hub wants one."""
    certificate_key: str = ""
    """Private key of that certificate (PEM)."""
    level: str = "amber"
    """Level of TLP 2.0 under which warnings are told: `clear`, `green`, `amber` or `amber+strict`."""
    days: float = 47.0
    """How long a warning holds, in days; above 0 and at most 90."""
    poll_seconds: float = 300.0
    """How often `coalition pull --follow` asks, in seconds; above 0 and at most 300, so that a withdrawal arrives."""
    page: int = 500
    """Objects asked for at once; from 1 to 10,000."""

    def __post_init__(self) -> None:
        check_range("coalition.days", self.days, low=0.0, high=LONGEST_DAYS + 1e-9)
        check_range("coalition.poll_seconds", self.poll_seconds, low=0.0, high=300.0 + 1e-9)
        check_range("coalition.page", self.page, low=0, high=10_001)
        if self.level not in LEVELS:
            raise StillwatchError(f"coalition.level = {self.level!r}: must be one of {', '.join(LEVELS)}.")
        if self.url and not re.match(r"https?://[^/\s]+/", self.url):
            raise StillwatchError("coalition.url: must be an address such as https://hub.example/taxii2/.")
        if self.organisation and not _IDENTITY.fullmatch(self.organisation):
            raise StillwatchError("coalition.organisation: must be a STIX id such as identity--7c1f....")
        if bool(self.certificate) != bool(self.certificate_key):
            raise StillwatchError("coalition.certificate and coalition.certificate_key: give both or neither.")
