"""A point in time on the command line: ISO 8601, or seconds since 1970."""

from datetime import UTC, datetime

import click


class When(click.ParamType[float]):
    """Turns `2026-03-01`, `2026-03-01T12:00Z` or `1767571200` into seconds since 1970; no zone means UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds since 1970."""
        text = str(value)
        try:
            return float(text)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{text!r} is no time; give ISO 8601, such as 2026-03-01T12:00Z, or seconds since 1970.", param, ctx
            )
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


WHEN = When()
