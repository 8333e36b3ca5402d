"""A member's side of a coalition, from settings and the state folder: its voice, its file, its way to the hub.

In: section `[coalition]`, the environment. Out: `Author`, `Received`, `Reach`. No key is printed. The secret that
ids are drawn under comes from the folder's master key.
"""

import os
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from stillwatch.app.coalitionconfig import CoalitionConfig
from stillwatch.app.state import master_key
from stillwatch.exchange.stix.write import Author
from stillwatch.exchange.taxii.client import Reach
from stillwatch.exchange.taxii.received import FILE_NAME, Received
from stillwatch.sketch.keys import KeyRing
from stillwatch.terms.errors import StillwatchError

KEY_VARIABLE: Final = "STILLWATCH_COALITION_KEY"


def author_of(config: CoalitionConfig, state: Path) -> Author:
    """Return this provider's voice.

    Raises:
        StillwatchError: the settings name no organisation.
    """
    if not config.organisation:
        raise StillwatchError(
            "coalition.organisation is empty: must be the STIX id that the hub's operator gave you; see "
            "docs/howto/coalition.md."
        )
    return Author(
        identity=config.organisation, level=config.level, secret=KeyRing(master_key(state)).lasting("coalition ids")
    )


def open_received(state: Path) -> Received:
    """Open what was pulled and published; close it after use."""
    return Received(state / FILE_NAME)


def reach_of(config: CoalitionConfig) -> Reach:
    """Return how the hub is reached.

    Raises:
        StillwatchError: no hub is named, or a key or certificate cannot be read.
    """
    if not config.url:
        raise StillwatchError(
            "coalition.url is empty: must be the hub's address, under [coalition] of the settings file."
        )
    if config.url.startswith("http://") and not _here(config.url):
        raise StillwatchError(
            "coalition.url: must begin with https, so that the key does not cross the network in clear."
        )
    return Reach(url=config.url, key=_key(config), tls=_tls(config))


def _here(url: str) -> bool:
    """Return whether an address is of this machine; `http://127.0.0.1:80@elsewhere/` is not."""
    try:
        return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False


def _key(config: CoalitionConfig) -> str:
    found = os.environ.get(KEY_VARIABLE, "")
    if config.key_file:
        try:
            found = Path(config.key_file).read_text(encoding="ascii").partition("\n")[0]
        except (OSError, UnicodeDecodeError):
            raise StillwatchError(f"coalition.key_file {config.key_file}: cannot be read; make it readable.") from None
    if not found.strip() and not config.certificate:
        raise StillwatchError(f"coalition: no key; name coalition.key_file, or set {KEY_VARIABLE}.")
    return found.strip()


def _tls(config: CoalitionConfig) -> ssl.SSLContext | None:
    if not (config.ca_file or config.certificate):
        return None
    try:
        context = ssl.create_default_context(cafile=config.ca_file or None)
        if config.certificate:
            context.load_cert_chain(config.certificate, config.certificate_key)
    except OSError as problem:
        raise StillwatchError(
            f"coalition.ca_file or certificate: cannot be used ({problem.strerror or type(problem).__name__})."
        ) from None
    return context
