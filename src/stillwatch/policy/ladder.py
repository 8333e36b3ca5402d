"""The ladder that is in force where a settings file gives no rules of its own.

In: nothing. Out: `RULES`, first match first. Before a person has confirmed a verdict the ladder only
records what it would do; the rules that bite wait for `stillwatch decide confirm`. Other providers' word alone only
marks; that two of them ask for a step-up is recorded, and bites where a provider writes the rule without `shadow`.
"""

import math
from typing import Final

from stillwatch.policy.rule import Rule
from stillwatch.terms.catalog import Catalog

STRONG: Final = math.log(10_000.0)
"""Nats of a strong verdict: one such account in ten thousand honest ones, at most."""

RULES: Catalog[Rule] = Catalog(
    "rule",
    Rule(
        name="confirmed-strong", action="refuse", needs="confirmed", min_log_e=STRONG, shadow=False, expires_days=90.0
    ),
    Rule(name="confirmed", action="challenge", needs="confirmed", shadow=False, expires_days=30.0),
    Rule(name="confirmed-and-verified", action="coarsen", needs="confirmed", shadow=False, expires_days=30.0),
    Rule(
        name="coalition-corroborated",
        action="challenge",
        needs="coalition",
        min_organisations=2,
        shadow=True,
        expires_days=14.0,
    ),
    Rule(name="accused-strong", action="slow", min_log_e=STRONG, rate_share=0.5, delay_seconds=1.0, expires_days=14.0),
    Rule(name="accused", action="mark", expires_days=14.0),
    Rule(name="coalition", action="mark", needs="coalition", expires_days=14.0),
)
"""Every rule of the shipped ladder, in the order in which they are tried."""
