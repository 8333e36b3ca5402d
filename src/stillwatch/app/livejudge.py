"""Judge live traffic up to the end of a block, hold the verdicts as policy says, publish them, write the report.

In: a snapshot of the store, the end of the last closed block. Out: `published.json`, the report folder, what the
console shows. The verdicts are those that `scan --until` that moment gives; only a campaign's id is kept from one
judgement to the next.
Cost: a judgement of everything kept, in a thread of its own. Left to `policy.hold`: when a verdict takes effect.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stillwatch.app.calibration import read_calibration
from stillwatch.app.clipped import ClippedSource
from stillwatch.app.consolepages import judged_of, publish_pages
from stillwatch.app.control import open_control
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.report import (
    About,
    left_out,
    main_epoch,
    names_in,
    report_of,
    unread_parts,
    write_outputs,
    write_store_note,
)
from stillwatch.app.settings import Settings
from stillwatch.app.unmasked import Unmasked, UnmaskedNames
from stillwatch.console.report import InputFile, Report
from stillwatch.detect.judge import judge
from stillwatch.gateway.published import Published, read_published, write_published
from stillwatch.logs.tally import Tally
from stillwatch.policy.hold import Judged, Round, hold
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.pageindex import PageIndex
from stillwatch.terms.action import Held
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.ports import EventSource, Journal, Window
from stillwatch.terms.verdict import Verdicts


@dataclass(frozen=True, slots=True)
class LiveJudge:
    """What live judgements need."""

    folder: LiveFolder
    settings: Settings
    ring: KeyRing

    def run(self, store: Journal, snapshot: EventSource, until: float, tally: Tally, now: float) -> Published:
        """Judge, publish, and write the report.

        Args:
            store: Where names are kept.
            snapshot: Events that do not change meanwhile.
            until: Event time, excluded: the end of a block.
            tally: What was read so far, for the report.
            now: Wall time, seconds since 1970.

        Raises:
            StillwatchError, OSError: the calibration, the store or the disk failed; what was published stays.
        """
        keys = self._account_keys()
        source = ClippedSource(Unmasked(snapshot, self.ring, keys), until)
        before = self.before()
        verdicts = self._verdicts(source)
        verdicts = replace(verdicts, notes=(*verdicts.notes, *unread_parts(tally)))
        names = names_in(UnmaskedNames(store, self.ring, keys), verdicts)
        verdicts = keep_ids(verdicts, names, before.held)
        held = hold(
            before.held, self._judged(source, verdicts, names, before.held), self.settings.policy,
            Round(now=now, last=before.made_at, key=self.ring.lasting("policy pace")),
        )  # fmt: skip
        published = Published(generation=before.generation + 1, made_at=now, judged_until=until, held=held)
        write_published(self.folder.published, published)
        report = self._write_report(source, names, verdicts, tally, now)
        with PageIndex(self.folder.pages) as index:
            publish_pages(index, judged_of(report, published, source))
        return published

    def _account_keys(self) -> Mapping[str, str]:
        with open_control(self.folder.state) as book:
            return book.account_keys()

    def before(self) -> Published:
        """Return what was published last; nothing where it cannot be read, since it is then written anew."""
        try:
            return read_published(self.folder.published)
        except StillwatchError:
            return Published()

    def _verdicts(self, source: EventSource) -> Verdicts:
        path = self.settings.watch.calibration
        calibration = read_calibration(Path(path)) if path else None
        verdicts = judge(source, self.settings.detect, epoch=main_epoch(source), calibration=calibration)
        return replace(verdicts, notes=(*verdicts.notes, *left_out(source)))

    def _judged(
        self, source: EventSource, verdicts: Verdicts, names: Mapping[int, str], held: Mapping[str, Held]
    ) -> list[Judged]:
        """Return what the judgement says of every account it names, and of those held that it found nothing on."""
        judged = judged_accounts(verdicts, names)
        epoch = verdicts.figures.get("epoch")
        if held and epoch is not None:
            hashes = self.ring.for_epoch(epoch)
            active = set(source.rollup(Window(epoch=epoch))["account"].tolist())
            needed = math.log(1.0 / verdicts.alpha)
            for name in held:
                if name not in judged and hashes.hash("account", name) in active:
                    judged[name] = Judged(account=name, log_e=0.0, accused=False, threshold=needed)
        return list(judged.values())

    def _write_report(
        self, source: EventSource, names: Mapping[int, str], verdicts: Verdicts, tally: Tally, now: float
    ) -> Report:
        read = InputFile(
            path="gateway", importer=tally.importer, rows=tally.rows, good=tally.good, bad=tally.bad,
            reasons=dict(tally.reasons),
        )  # fmt: skip
        about = About(
            title="Live traffic", made_at=now, command="stillwatch serve", inputs=(read,), whole=tally,
            prices=self.settings.prices, live=True,
        )  # fmt: skip
        report = report_of(source, names, verdicts, about)
        write_outputs(report, self.folder.report)
        write_store_note(self.folder.report, self.folder.store.relative_to(self.folder.state).as_posix())
        return report


def judged_accounts(verdicts: Verdicts, names: Mapping[int, str]) -> dict[str, Judged]:
    """Return what a judgement says of each account that it names, by name; accounts without a name are left out."""
    needed = dict(verdicts.figures.get("thresholds", {}))
    alone = math.log(1.0 / verdicts.alpha)
    families = {c.id: c.families for c in verdicts.campaigns}
    found: dict[str, Judged] = {}
    for campaign in verdicts.campaigns:  # the accused first, then the strongest
        for account in campaign.accounts:
            if account in names:
                found.setdefault(names[account], Judged(
                    account=names[account], log_e=campaign.log_e, accused=campaign.accused,
                    campaign=campaign.id if campaign.accused else None, families=campaign.families,
                    threshold=needed.get(campaign.id, alone),
                ))  # fmt: skip
    for verdict in verdicts.accounts:
        if verdict.accused and verdict.account in names:
            found[names[verdict.account]] = Judged(
                account=names[verdict.account], log_e=verdict.log_e, accused=True, campaign=verdict.campaign,
                families=families.get(verdict.campaign or "", ()), threshold=needed.get(verdict.campaign or "", alone),
            )  # fmt: skip
    return found


def keep_ids(verdicts: Verdicts, names: Mapping[int, str], held: Mapping[str, Held]) -> Verdicts:
    """Give a campaign the id under which most of its members are held already.

    A campaign is named after the accounts that link it, and those change from block to block; people and the pace of
    policy need one name. An id is given to one campaign only, the one that shares the most members.
    """
    shares = sorted(
        (
            (-count, number, old)
            for number, campaign in enumerate(verdicts.campaigns)
            if campaign.accused
            for old, count in _held_under(campaign.accounts, names, held).items()
        )
    )
    new_ids: dict[int, str] = {}
    for _, number, old in shares:
        if number not in new_ids and old not in new_ids.values():
            new_ids[number] = old
    renamed = {verdicts.campaigns[number].id: old for number, old in new_ids.items()}
    taken = {c.id for n, c in enumerate(verdicts.campaigns) if n not in new_ids}
    renamed = {new: old for new, old in renamed.items() if new != old and old not in taken}
    if not renamed:
        return verdicts
    needed = {renamed.get(k, k): v for k, v in dict(verdicts.figures.get("thresholds", {})).items()}
    return replace(
        verdicts,
        campaigns=tuple(replace(c, id=renamed.get(c.id, c.id)) for c in verdicts.campaigns),
        accounts=tuple(replace(a, campaign=renamed.get(a.campaign or "", a.campaign)) for a in verdicts.accounts),
        figures=dict(verdicts.figures) | {"thresholds": needed},
    )


def _held_under(accounts: tuple[int, ...], names: Mapping[int, str], held: Mapping[str, Held]) -> Counter[str]:
    """Return the campaigns under which at least half of those members are held that are held at all."""
    known = [held[names[a]].campaign for a in accounts if a in names and names[a] in held]
    counts = Counter(campaign for campaign in known if campaign is not None)
    return Counter({campaign: n for campaign, n in counts.items() if 2 * n >= np.ceil(len(known))})
