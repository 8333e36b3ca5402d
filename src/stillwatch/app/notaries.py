"""From settings to the two notaries as one tokeniser, and to whom this provider believes.

In: sections `[matching]` and `[coalition]`, the environment. Out: `SeriesTokeniser`, `Trust`. No key is printed.
"""

import os
from pathlib import Path

from stillwatch.app.matchconfig import MatchConfig
from stillwatch.app.settings import Settings
from stillwatch.exchange.notary.caller import NotaryAddress
from stillwatch.exchange.notary.series import SeriesTokeniser
from stillwatch.policy.coalition import Trust
from stillwatch.terms.errors import StillwatchError


def tokeniser_of(config: MatchConfig) -> SeriesTokeniser:
    """Return the tokeniser that the settings name; nothing is asked of it yet.

    Raises:
        StillwatchError: no notaries are named, or a key is not where the settings say.
    """
    if not config.notaries:
        raise StillwatchError(
            "matching: no notaries are named; give first_url, first_identity, second_url and second_identity under "
            "[matching] of the settings file. See docs/howto/notary.md."
        )
    return SeriesTokeniser(
        _address(config, "first"), _address(config, "second"), batch=config.batch, seconds=config.timeout_seconds
    )


def trust_of(settings: Settings) -> Trust:
    """Return whom the settings believe; this provider's own warnings are no news to it."""
    config = settings.matching
    return Trust(
        own=settings.coalition.organisation, organisations=config.organisations, common_share=config.common_share
    )


def _address(config: MatchConfig, place: str) -> NotaryAddress:
    return NotaryAddress(
        url=getattr(config, f"{place}_url"), identity=bytes.fromhex(getattr(config, f"{place}_identity")),
        key=_key(config, place), ca_file=getattr(config, f"{place}_ca_file"),
    )  # fmt: skip


def _key(config: MatchConfig, place: str) -> str:
    variable, file = getattr(config, f"{place}_key_env"), getattr(config, f"{place}_key_file")
    if variable:
        found = os.environ.get(variable, "").strip()
        if not found:
            raise StillwatchError(f"matching.{place}_key_env = {variable!r}: the variable must be set.")
        return found
    if not file:
        raise StillwatchError(f"matching.{place}_key_env and {place}_key_file are empty; name where the API key is.")
    try:
        found = Path(file).read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError):
        raise StillwatchError(f"matching.{place}_key_file = {file!r}: cannot be read; make it readable.") from None
    if not found:
        raise StillwatchError(f"matching.{place}_key_file = {file!r}: its first line is empty.")
    return found
