"""Keys and canaries as the console lists them: epochs, doses, states; never a secret or a value.

In: the control file, the keys of marks, the settings. Out: records of `console.records`.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from stillwatch.app.canaries import state_of
from stillwatch.app.consolestate import ConsoleState
from stillwatch.app.markring import load_ring, ring_path
from stillwatch.app.settings import Settings
from stillwatch.app.vaultseen import vault_line, vault_seen
from stillwatch.console import records as r
from stillwatch.sketch.keys import EPOCH_SECONDS, epoch_of
from stillwatch.terms.errors import StillwatchError


def keys_page(open_state: ConsoleState) -> r.KeysPage:
    """Return epochs, doses and canaries."""
    now = time.time()
    counts = open_state.key_counts(now)
    sketch = epoch_of(now) if open_state.ring() is not None else None
    return r.KeysPage(
        api_keys_good=counts["good"], api_keys_ended=counts["ended"], api_keys_ending_soon=counts["ending_soon"],
        sketch_epoch=sketch, sketch_epoch_ends=(sketch + 1) * EPOCH_SECONDS if sketch is not None else None,
        mark_epochs=_mark_epochs(open_state.state),
        canaries=[
            r.CanaryLine(
                id=c.id, subject=c.subject, accounts=len(c.accounts), template=c.template, alternatives=c.alternatives,
                commitment=c.commitment[:16], made=c.made, expires=c.expires, by=c.by, state=state_of(c, now),
            )
            for c in reversed(open_state.book.canaries())
        ],
        doses=list(_doses(open_state.settings)), vault=vault_line(vault_seen(open_state.state)),
    )  # fmt: skip


def _mark_epochs(state: Path) -> list[r.EpochLine]:
    if not ring_path(state).is_file():
        return []
    try:
        ring = load_ring(state)
    except StillwatchError:
        return []
    return [
        r.EpochLine(epoch=e.number, since=e.made, in_use=e.number == ring.current.number) for e in reversed(ring.epochs)
    ]


def _doses(settings: Settings) -> Iterator[r.DoseLine]:
    """Yield each treatment that a rule orders, with how much of it the settings give."""
    t, mark = settings.treatments, settings.mark
    said = {
        "watermark": f"{mark.scheme}, {mark.delta:g} nats on preferred tokens, context of {mark.width}",
        "logprobs": f"{t.logprobs_top} alternatives, {t.logprobs_a_day:,.0f} different pairs a day",
        "dose": f"from {t.dose_nats:g} nats or {t.dose_prompts:,.0f} prompts, in full at {2 * t.dose_nats:g} nats or "
        f"{100 * t.dose_prompts:,.0f} prompts",
        "privacy": f"epsilon {t.privacy_epsilon:g} a day at delta {t.privacy_delta:g}",
        "experts": f"{100 * t.experts_share:g} % of the smaller model",
    }
    for rule in settings.policy.rules:
        for name in rule.applied:
            yield r.DoseLine(rule=rule.name, treatment=name, shadow=settings.policy.in_shadow(rule),
                             dose=said.get(name, "as it stands"))  # fmt: skip
