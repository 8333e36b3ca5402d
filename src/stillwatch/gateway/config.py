"""Settings of the data plane, section `[gateway]` of the settings file; frozen and checked when built."""

import ipaddress
import math
from dataclasses import dataclass

from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """Section `[gateway]` of the settings file."""

    upstream: str = ""
    """Address of the model server without `/v1`, such as `http://127.0.0.1:8000`; `http` or `https`. Must be given
    before the gateway starts."""
    credentials: str = "replace"
    """`replace`: the caller's key stays here, and the upstream gets `upstream_key`. `pass`: the upstream gets the
    caller's own key, so that it can tell accounts apart."""
    upstream_key_env: str = ""
    """Name of the environment variable that holds the upstream's key; empty for none."""
    upstream_key_file: str = ""
    """File whose first line is the upstream's key; empty for none. Used when `upstream_key_env` is empty."""
    upstream_key_header: str = "auto"
    """`bearer`, `x-api-key`, or `auto` for the header that the caller used."""
    max_body_bytes: int = 52_428_800
    """Largest request body, as sent and unzipped, in bytes; above 0. Larger ones get 413."""
    max_recorded_bytes: int = 1_048_576
    """Most bytes kept of a request, and of an answer, for its event; at least 1,024. More is cut at the end."""
    connect_seconds: float = 5.0
    """Longest wait for a connection to the upstream, in seconds; above 0."""
    read_seconds: float = 600.0
    """Longest silence of the upstream, before the answer or within it, in seconds; above 0."""
    body_seconds: float = 60.0
    """Longest silence of a caller within its request body, in seconds; above 0. Then 408."""
    reader_seconds: float = 300.0
    """Longest time a caller may leave its answer unread while more waits, in seconds; above 0. Then it is cut off."""
    keepalive_seconds: float = 15.0
    """How long an idle connection to the upstream is kept, in seconds; above 0. Less than the upstream's own."""
    public_url: str = ""
    """Scheme and host under which callers know the gateway, such as `https://api.example.com`; proofs of grants are
    held against it. Empty: against the request's own `Host`, whatever the scheme."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) whose `x-forwarded-for` and TLS fingerprint are believed; none by default."""
    forwarded_hops: int = 1
    """Most entries of `x-forwarded-for` that are believed, counted from the right; at least 1."""
    ja4_header: str = "x-ja4"
    """Header in which a trusted proxy says the caller's JA4 fingerprint."""
    strip_fields: tuple[str, ...] = (
        "vllm_xargs", "kv_transfer_params", "logits_processors", "watermark", "watermarking", "stillwatch",
    )  # fmt: skip
    """Fields of a request body that are taken out before it goes upstream: switches of watermarks and vendor extras
    that an account must not choose. `logit_bias`, `seed` and `logprobs` may be named as well."""
    refuse_fields: tuple[str, ...] = ()
    """Fields of a request body that are answered with 400."""
    include_usage: bool = False
    """Ask the upstream for the usage of every stream, and take it out again where the caller did not ask. Off, an
    answer is the upstream's byte for byte."""
    assumed_answer_tokens: int = 512
    """Tokens that a request without a limit of its own is taken for until its usage is known; at least 1."""

    def __post_init__(self) -> None:
        for name, low in (("max_body_bytes", 0), ("max_recorded_bytes", 1023), ("forwarded_hops", 0)):
            check_range(f"gateway.{name}", getattr(self, name), low=low, high=math.inf)
        for name in ("connect_seconds", "read_seconds", "body_seconds", "reader_seconds", "keepalive_seconds"):
            check_range(f"gateway.{name}", getattr(self, name), low=0.0, high=math.inf)
        check_range("gateway.assumed_answer_tokens", self.assumed_answer_tokens, low=0, high=math.inf)
        _check_word("credentials", self.credentials, ("replace", "pass"))
        _check_word("upstream_key_header", self.upstream_key_header, ("auto", "bearer", "x-api-key"))
        for network in self.trusted_proxies:
            check_network("gateway.trusted_proxies", network)
        if self.upstream and not self.upstream.startswith(("http://", "https://")):
            raise StillwatchError("gateway.upstream: must start with http:// or https://, and name a host.")


def _check_word(name: str, value: str, words: tuple[str, ...]) -> None:
    if value not in words:
        raise StillwatchError(f"gateway.{name} = {value!r}: must be one of {', '.join(words)}.")


def check_network(name: str, network: str) -> None:
    """Refuse what is no network.

    Raises:
        StillwatchError: it is none; `name` is the setting that holds it.
    """
    try:
        ipaddress.ip_network(network)
    except ValueError:
        raise StillwatchError(
            f"{name} holds {network!r}: must be a network such as 10.0.0.0/8, without host bits."
        ) from None
