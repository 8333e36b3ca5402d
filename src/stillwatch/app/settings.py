"""Settings file -> frozen settings: TOML with one table a room, every value checked.

In: a path, or none for the defaults. Out: `Settings`. Unknown tables and names are errors, so that
a typing mistake never passes as a default. Left to `settingsections`: which record holds which table.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.app.prices import PriceConfig
from stillwatch.app.settingfaults import every_fault
from stillwatch.app.settingsections import SECTIONS
from stillwatch.detect.config import DetectConfig
from stillwatch.terms.errors import StillwatchError

if TYPE_CHECKING:
    from stillwatch.app.coalitionconfig import CoalitionConfig
    from stillwatch.app.consoleconfig import AlertConfig, ConsoleConfig
    from stillwatch.app.hubconfig import HubConfig
    from stillwatch.app.matchconfig import MatchConfig
    from stillwatch.app.serveconfig import ServeConfig
    from stillwatch.app.vaultconfig import VaultConfig
    from stillwatch.app.watchconfig import WatchConfig
    from stillwatch.gateway.config import GatewayConfig
    from stillwatch.gateway.litellm import LiteLLMConfig
    from stillwatch.gateway.middleware import MiddlewareConfig
    from stillwatch.gateway.segmentfiles import SpoolConfig
    from stillwatch.policy.config import PolicyConfig
    from stillwatch.treatments.config import TreatmentConfig
    from stillwatch.treatments.marks.config import MarkConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a settings file may say."""

    detect: DetectConfig = field(default_factory=DetectConfig)
    prices: PriceConfig = field(default_factory=PriceConfig)
    given: Mapping[str, Any] = field(default_factory=dict)
    """Records of the other tables that the file holds, by the table's name."""

    @property
    def gateway(self) -> "GatewayConfig":
        """Table `[gateway]`: the data plane."""
        found: GatewayConfig = self._of("gateway")
        return found

    @property
    def policy(self) -> "PolicyConfig":
        """Table `[policy]`: rules, limits and the pace of verdicts."""
        found: PolicyConfig = self._of("policy")
        return found

    @property
    def spool(self) -> "SpoolConfig":
        """Table `[spool]`: how exchanges travel from the workers to the watcher."""
        found: SpoolConfig = self._of("spool")
        return found

    @property
    def watch(self) -> "WatchConfig":
        """Table `[watch]`: how live traffic is taken in and judged."""
        found: WatchConfig = self._of("watch")
        return found

    @property
    def serve(self) -> "ServeConfig":
        """Table `[serve]`: addresses and processes."""
        found: ServeConfig = self._of("serve")
        return found

    def changed(self, section: str, **values: Any) -> "Settings":
        """Return these settings with other values in one section, which checks them; None leaves a value.

        Raises:
            StillwatchError: a value is out of range.
        """
        record = replace(getattr(self, section), **{name: value for name, value in values.items() if value is not None})
        if section in ("detect", "prices"):
            return replace(self, **{section: record})
        return replace(self, given={**self.given, section: record})

    @property
    def litellm(self) -> "LiteLLMConfig":
        """Table `[litellm]`: a LiteLLM proxy that logs here and asks here."""
        found: LiteLLMConfig = self._of("litellm")
        return found

    @property
    def middleware(self) -> "MiddlewareConfig":
        """Table `[middleware]`: Stillwatch inside a model server."""
        found: MiddlewareConfig = self._of("middleware")
        return found

    @property
    def treatments(self) -> "TreatmentConfig":
        """Table `[treatments]`: how treatments work where a rule orders them."""
        found: TreatmentConfig = self._of("treatments")
        return found

    @property
    def mark(self) -> "MarkConfig":
        """Table `[mark]`: the mark that engines put into the choice of tokens."""
        found: MarkConfig = self._of("mark")
        return found

    @property
    def coalition(self) -> "CoalitionConfig":
        """Table `[coalition]`: the hub that warnings are told and heard at."""
        found: CoalitionConfig = self._of("coalition")
        return found

    @property
    def hub(self) -> "HubConfig":
        """Table `[hub]`: a coalition's TAXII server."""
        found: HubConfig = self._of("hub")
        return found

    @property
    def vault(self) -> "VaultConfig":
        """Table `[vault]`: the one place where text may be kept."""
        found: VaultConfig = self._of("vault")
        return found

    @property
    def matching(self) -> "MatchConfig":
        """Table `[matching]`: tokens through two notaries, and what other providers' warnings come to."""
        found: MatchConfig = self._of("matching")
        return found

    @property
    def console(self) -> "ConsoleConfig":
        """Table `[console]`: pages and API for people."""
        found: ConsoleConfig = self._of("console")
        return found

    @property
    def alerts(self) -> "AlertConfig":
        """Table `[alerts]`: who is told when something waits for a person."""
        found: AlertConfig = self._of("alerts")
        return found

    def _of(self, name: str) -> Any:
        return self.given[name] if name in self.given else SECTIONS[name].record()


def load_settings(path: Path | None, **overrides: Any) -> Settings:
    """Read a settings file and lay command-line overrides over its `[detect]` table.

    Args:
        path: TOML file, or None for the defaults.
        overrides: Names of `[detect]` with their values; None leaves the file's value.

    Raises:
        StillwatchError: the file is missing, is no TOML, or holds unknown or bad values; all of them are named.
    """
    tables = _read(path) if path else {}
    tables.setdefault("detect", {}).update({k: v for k, v in overrides.items() if v is not None})
    try:
        records = {name: SECTIONS[name].read(name, table) for name, table in tables.items()}
    except StillwatchError:
        raise StillwatchError("\n".join(every_fault(tables))) from None
    own = {name: records.pop(name) for name in ("detect", "prices") if name in records}
    return Settings(**own, given=records)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise StillwatchError(f"settings file {path}: {problem.strerror}; give a readable TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise StillwatchError(f"settings file {path}: not TOML ({problem}).") from None
    wrong = [
        f"table [{name}] is unknown; must be one of {', '.join(SECTIONS)}." for name in tables if name not in SECTIONS
    ]
    wrong += [
        f"{name} is one value or a list; must be a table [{name}]."
        for name, table in tables.items()
        if name in SECTIONS and not isinstance(table, dict)
    ]
    if wrong:
        good = {name: table for name, table in tables.items() if name in SECTIONS and isinstance(table, dict)}
        said = [f"settings file {path}: {one}" for one in wrong]
        raise StillwatchError("\n".join((*said, *every_fault(good))))
    return tables
