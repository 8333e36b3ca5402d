"""Which record holds which table of the settings file, and how a table becomes its record.

In: a parsed table. Out: the frozen record, every name known and every value of its field's kind. A record's
module is imported when its table is given or asked for, so that `scan` needs nothing of the gateway's.
Left to `settingvalues`: one value. Left to the records: ranges.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, get_type_hints

from stillwatch.app.settingvalues import checked_value
from stillwatch.terms.errors import StillwatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Where one table of the settings file is turned into a record."""

    home: str
    """Module and name of the record, with a colon between."""
    reader: str = ""
    """Function in that module that makes the record from the table; empty where every field is a plain value."""

    @property
    def record(self) -> type[Any]:
        """The record's class, imported."""
        module, _, name = self.home.partition(":")
        found: type[Any] = getattr(importlib.import_module(module), name)
        return found

    def read(self, name: str, table: Mapping[str, Any]) -> Any:
        """Return the record that a table states.

        Raises:
            StillwatchError: the table holds an unknown name or a bad value.
        """
        if self.reader:
            reader: Callable[[Mapping[str, Any]], Any] = getattr(
                importlib.import_module(self.home.partition(":")[0]), self.reader
            )
            return reader(table)
        return _plain(name, self.record, table)


SECTIONS: Final[Mapping[str, Section]] = {
    "detect": Section(home="stillwatch.detect.config:DetectConfig"),
    "prices": Section(home="stillwatch.app.prices:PriceConfig"),
    "gateway": Section(home="stillwatch.gateway.config:GatewayConfig"),
    "policy": Section(home="stillwatch.policy.config:PolicyConfig", reader="read_policy"),
    "mark": Section(home="stillwatch.treatments.marks.config:MarkConfig"),
    "treatments": Section(home="stillwatch.treatments.config:TreatmentConfig"),
    "spool": Section(home="stillwatch.gateway.segmentfiles:SpoolConfig"),
    "watch": Section(home="stillwatch.app.watchconfig:WatchConfig"),
    "vault": Section(home="stillwatch.app.vaultconfig:VaultConfig"),
    "serve": Section(home="stillwatch.app.serveconfig:ServeConfig"),
    "coalition": Section(home="stillwatch.app.coalitionconfig:CoalitionConfig"),
    "hub": Section(home="stillwatch.app.hubconfig:HubConfig"),
    "matching": Section(home="stillwatch.app.matchconfig:MatchConfig"),
    "console": Section(home="stillwatch.app.consoleconfig:ConsoleConfig"),
    "alerts": Section(home="stillwatch.app.consoleconfig:AlertConfig"),
    "litellm": Section(home="stillwatch.gateway.litellm:LiteLLMConfig"),
    "middleware": Section(home="stillwatch.gateway.middleware:MiddlewareConfig"),
}
"""Tables of the settings file, in the order in which they are documented."""


def _plain(section: str, record: type[Any], given: Mapping[str, Any]) -> Any:
    kinds = get_type_hints(record)
    known = [f.name for f in fields(record)]
    values = {}
    for key, value in given.items():
        if key not in known:
            raise StillwatchError(f"{section}.{key}: unknown setting; must be one of {', '.join(known)}.")
        values[key] = checked_value(f"{section}.{key}", value, kinds[key])
    return record(**values)
