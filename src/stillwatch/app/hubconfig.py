"""Settings of a coalition's hub, section `[hub]`; frozen and checked when built."""

import math
from dataclasses import dataclass

from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class HubConfig:
    """Section `[hub]`: the TAXII server at which members of a coalition meet."""

    title: str = "Coalition hub"
    """What discovery calls it."""
    host: str = "127.0.0.1"
    """Address to listen on. Anything but this machine needs `certificate`, or TLS in front."""
    port: int = 8440
    """Port; 0 takes any free one."""
    public_url: str = ""
    """Address that members reach it by, such as `https://hub.example`; empty for what each request names."""
    certificate: str = ""
    """Server certificate with its chain (PEM); empty for no TLS."""
    certificate_key: str = ""
    """Its private key (PEM)."""
    client_ca: str = ""
    """Certificates that members' own are checked against (PEM); empty for no client certificates."""
    need_certificate: bool = False
    """Let nobody in without a client certificate that was given to the member."""
    max_content_length: int = 10_485_760
    """Most bytes of one addition or token set; at least 65,536."""
    page: int = 100
    """Objects in a page where a member does not say; at least 1."""
    max_page: int = 1_000
    """Most objects in a page; at least 1."""
    objects_per_post: int = 10_000
    """Most objects in one addition; at least 1."""
    objects_per_day: int = 50_000
    """Most objects that one organisation may add in a day of UTC; at least 1."""
    blob_bytes_per_day: int = 268_435_456
    """Most bytes of token sets that one organisation may send in a day of UTC; at least 65,536."""
    requests_per_minute: int = 1_200
    """Most requests of one member in a minute; at least 1."""

    def __post_init__(self) -> None:
        check_range("hub.port", self.port, low=-1, high=65_536)
        for name in ("page", "max_page", "objects_per_post", "objects_per_day", "requests_per_minute"):
            check_range(f"hub.{name}", getattr(self, name), low=0, high=math.inf)
        for name in ("max_content_length", "blob_bytes_per_day"):
            check_range(f"hub.{name}", getattr(self, name), low=65_535, high=math.inf)
        if bool(self.certificate) != bool(self.certificate_key):
            raise StillwatchError("hub.certificate and hub.certificate_key: give both or neither.")
        if self.client_ca and not self.certificate:
            raise StillwatchError("hub.client_ca: needs hub.certificate; client certificates are part of TLS.")
        if self.need_certificate and not self.client_ca:
            raise StillwatchError(
                "hub.need_certificate: needs hub.client_ca, which members' certificates are checked by."
            )
