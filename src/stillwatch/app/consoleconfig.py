"""Settings of the console and of what it tells others, sections `[console]` and `[alerts]`; checked when built."""

import math
from dataclasses import dataclass
from urllib.parse import urlsplit

from stillwatch.gateway.config import check_network
from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError

LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleConfig:
    """Section `[console]`: pages and API for the people who look and decide."""

    enabled: bool = False
    """Start the console with `stillwatch serve`."""
    host: str = "127.0.0.1"
    """Address of the console, never one that callers of the model reach. Put TLS before all but this machine."""
    port: int = 8190
    """Port of the console; 0 takes any free one."""
    origin: str = ""
    """Address that people type, such as `https://watch.example.com`; with https cookies are sent over TLS only."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) of the proxy before the console, whose last `x-forwarded-for` is believed; failures to sign in
    are then counted by who failed, not by the proxy. None by default."""
    idle_minutes: float = 30.0
    """Minutes without a click after which a person is signed out; above 0."""
    session_hours: float = 12.0
    """Hours after which everybody signs in again; above 0."""
    two_people: str = "organisations"
    """What takes two people at the console: `organisations`, where one is confirmed or stepped up; or `always`."""
    shell: str = "decide"
    """What `stillwatch decide` and `appeal answer` may do: `decide`, or `propose` what makes rules bite."""
    least_sharers: int = 5
    """Least number of accounts that share a template's skeleton before it is listed; 5 or more."""
    dossiers: str = ""
    """Folder with dossiers to list; empty for `dossiers` in the state folder."""
    scorecards: str = ""
    """Folder with the lab's scorecards to list; empty for `lab` in the state folder."""
    oidc_issuer: str = ""
    """Identity provider for single sign-on, `https://...`; empty for none."""
    oidc_client_id: str = ""
    """Name of the console at the identity provider."""
    oidc_client_secret_env: str = ""
    """Environment variable that holds its secret; empty for a public client."""
    oidc_label: str = "single sign-on"
    """What the button for it says."""

    def __post_init__(self) -> None:
        check_range("console.port", self.port, low=-1, high=65_536)
        for name in ("idle_minutes", "session_hours"):
            check_range(f"console.{name}", getattr(self, name), low=0.0, high=math.inf)
        check_range("console.least_sharers", self.least_sharers, low=4, high=math.inf)
        _check_one_of("console.two_people", self.two_people, ("organisations", "always"))
        _check_one_of("console.shell", self.shell, ("decide", "propose"))
        for network in self.trusted_proxies:
            check_network("console.trusted_proxies", network)
        for name in ("origin", "oidc_issuer"):
            _check_url(f"console.{name}", getattr(self, name))
        if bool(self.oidc_issuer) != bool(self.oidc_client_id):
            raise StillwatchError("console.oidc_issuer and console.oidc_client_id: give both, or neither.")
        if self.oidc_issuer and not self.origin:
            raise StillwatchError("console.origin is empty: single sign-on sends people back there; give it.")

    @property
    def secure(self) -> bool:
        """Whether people reach it over TLS."""
        return self.origin.startswith("https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertConfig:
    """Section `[alerts]`: who is told when something waits for a person. Sent by the console; no text, no secret."""

    webhook_url: str = ""
    """Address that gets each alert as signed JSON; empty for none."""
    webhook_secret_env: str = ""
    """Environment variable with the secret of its signature; needed with `webhook_url`."""
    smtp_host: str = ""
    """Mail server; empty for none."""
    smtp_port: int = 587
    """Its port."""
    smtp_tls: str = "starttls"
    """`starttls`, `tls` or `none` (this machine only)."""
    smtp_user: str = ""
    """User of the mail server; empty for none."""
    smtp_password_env: str = ""
    """Environment variable with that user's password."""
    smtp_from: str = ""
    """Sender of alerts."""
    smtp_to: tuple[str, ...] = ()
    """Receivers of alerts."""
    syslog: str = ""
    """`udp://HOST:PORT`, `tcp://HOST:PORT` or a socket such as `/dev/log`: gets alerts as OCSF JSON; empty: none."""
    silent_minutes: float = 10.0
    """Minutes for which the watcher may be silent before an alert says so; above 0."""

    def __post_init__(self) -> None:
        check_range("alerts.smtp_port", self.smtp_port, low=0, high=65_536)
        check_range("alerts.silent_minutes", self.silent_minutes, low=0.0, high=math.inf)
        _check_url("alerts.webhook_url", self.webhook_url)
        if self.webhook_url and not self.webhook_secret_env:
            raise StillwatchError("alerts.webhook_secret_env is empty: an alert must be signed; name the variable.")
        if self.smtp_tls not in ("starttls", "tls", "none"):
            raise StillwatchError(f"alerts.smtp_tls = {self.smtp_tls!r}: must be starttls, tls or none.")
        if self.smtp_host and not (self.smtp_from and self.smtp_to):
            raise StillwatchError("alerts.smtp_from and alerts.smtp_to: must be given with alerts.smtp_host.")
        if self.smtp_host and self.smtp_tls == "none" and self.smtp_host not in LOCAL:
            raise StillwatchError('alerts.smtp_tls = "none": only for a mail server on this machine.')
        if self.syslog and not self.syslog.startswith(("udp://", "tcp://", "/")):
            raise StillwatchError(f"alerts.syslog = {self.syslog!r}: must start with udp://, tcp:// or /.")

    @property
    def any(self) -> bool:
        """Whether anybody is told."""
        return bool(self.webhook_url or self.smtp_host or self.syslog)


def _check_one_of(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise StillwatchError(f"{name} = {given!r}: must be {' or '.join(known)}.")


def _check_url(name: str, url: str) -> None:
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise StillwatchError(f"{name} = {url!r}: must be an address such as https://watch.example.com.")
    if parts.scheme == "http" and parts.hostname not in LOCAL:
        raise StillwatchError(f"{name} = {url!r}: must be https; http is for this machine only.")
