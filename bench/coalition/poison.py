"""What colluding members can do to honest accounts of the others, through the code that decides.

In: seeds. Out: by number of colluding members and by rule, the share of honest accounts refused, stepped up and marked
at the others, and of campaign accounts reached. Eight organisations with 1,500 honest accounts each, drawn from 3,000
people. Ten campaigns, each seen by an organisation with chance 0.35, with 25 accounts there that pay with what they pay
with elsewhere. An organisation's own signal accuses 1 % of honest and 60 % of campaign accounts, and its people confirm
every accusation: the worst that people can do. Members publish what they confirmed; colluding ones also publish honest
accounts of their own: all of them, or as few as stay below the share from which others set an organisation aside.

"ours" is `recognise` and `decide` of `policy` under the shipped ladder with every rule biting; beside
it what simpler rules would refuse on the same advisories. "believed" has people confirm every match, verdict or not.
Cost: about ten seconds a seed.
"""

import argparse
import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bench.layout import table
from stillwatch.policy.coalition import Trust, recognise
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.decide import decide
from stillwatch.policy.ladder import RULES
from stillwatch.stats.intervals import clopper_pearson
from stillwatch.store.tokenindex import SqliteTokens
from stillwatch.terms.action import Held, Subject, Warned
from stillwatch.terms.coalition import Advisory, Holding

ORGANISATIONS, HONEST, CAMPAIGNS, THERE, SEEN = 8, 1_500, 10, 25, 0.35
FALSE_ALARM, FOUND = 0.01, 0.60
EPOCH, NOW, DAY = "e1-bench", 1_800_000_000.0, 86_400.0
SNEAKY: Final = 0.04
"""Share of a victim's accounts that colluders aim at to stay below `matching.common_share`."""
LADDER: Final = PolicyConfig(shadow=False, rules=tuple(replace(rule, shadow=False) for rule in RULES))


@dataclass
class Provider:
    """One organisation: its accounts, what each pays with, and what its own signal says."""

    name: str
    pays: dict[str, bytes] = field(default_factory=dict)
    """Account -> token."""
    hostile: dict[str, int] = field(default_factory=dict)
    """Account -> campaign."""
    accused: set[str] = field(default_factory=set)

    def index(self) -> SqliteTokens:
        """Return the real index over its accounts."""
        found = SqliteTokens(":memory:")
        found.add(EPOCH, [Holding(account=a, kind="payment", token=t) for a, t in self.pays.items()])
        return found

    @property
    def honest(self) -> list[str]:
        """Accounts of honest people."""
        return [account for account in self.pays if account not in self.hostile]


def world(rng: random.Random) -> list[Provider]:
    """Compose the organisations."""
    people = [rng.randbytes(16) for _ in range(2 * HONEST)]
    means = [[rng.randbytes(16) for _ in range(THERE)] for _ in range(CAMPAIGNS)]
    found = []
    for number in range(ORGANISATIONS):
        one = Provider(f"org-{number}")
        for at, token in enumerate(rng.sample(people, HONEST)):
            one.pays[f"{number}-h{at}"] = token
        for campaign in range(CAMPAIGNS):
            if rng.random() < SEEN:
                for at in range(THERE):
                    account = f"{number}-c{campaign}-{at}"
                    one.pays[account] = means[campaign][at]
                    one.hostile[account] = campaign
        one.accused = {a for a in one.pays if rng.random() < (FOUND if a in one.hostile else FALSE_ALARM)}
        found.append(one)
    return found


def told(provider: Provider, poison: Iterable[bytes]) -> list[Advisory]:
    """Return what an organisation publishes: what it confirmed, and its lies."""
    groups: dict[str, set[bytes]] = {}
    for account in provider.accused:
        groups.setdefault(str(provider.hostile.get(account, account)), set()).add(provider.pays[account])
    for at, token in enumerate(poison):
        groups.setdefault(f"lie {at // 50}", set()).add(token)
    return [
        Advisory(
            id=f"{provider.name} {name}", campaign=name, organisation=provider.name, kind="payment", epoch=EPOCH,
            tokens=b"".join(sorted(tokens)), valid_from=NOW - DAY, valid_until=NOW + DAY,
        )
        for name, tokens in groups.items()
    ]  # fmt: skip


def lies(victims: Sequence[Provider], liars: Sequence[Provider], sneaky: bool, rng: random.Random) -> list[bytes]:
    """Return tokens of honest people that all liars publish: everybody they know, or few enough at each victim."""
    known = sorted({liar.pays[a] for liar in liars for a in liar.honest})
    if not sneaky:
        return known
    rng.shuffle(known)
    chosen: list[bytes] = []
    left = {victim.name: int(SNEAKY * len(victim.pays)) for victim in victims}
    at = {victim.name: {victim.pays[a] for a in victim.honest} for victim in victims}
    for token in known:
        hit = [name for name, tokens in at.items() if token in tokens]
        if hit and all(left[name] > 0 for name in hit):
            chosen.append(token)
            for name in hit:
                left[name] -= 1
    return chosen


def outcome(provider: Provider, advisories: Sequence[Advisory]) -> dict[str, Counter[str]]:
    """Return by rule what is ordered for honest and for campaign accounts of one organisation."""
    index = provider.index()
    matches = {one.account: one for one in recognise(advisories, index, Trust(own=provider.name), NOW).matches}
    index.close()
    says: dict[bytes, list[str]] = {}
    for one in advisories:
        if one.organisation != provider.name:
            for token in one.split():
                says.setdefault(token, []).append(one.organisation)
    found: dict[str, Counter[str]] = {
        rule: Counter() for rule in ("ours", "believed", "union", "two accounts", "two organisations")
    }
    for account, token in provider.pays.items():
        kind = "campaign" if account in provider.hostile else "honest"
        own = account in provider.accused
        match, words = matches.get(account), says.get(token, [])
        subject = Subject(
            account=account, decided="confirm" if own else "", decided_at=NOW - 60, decision_expires=NOW + DAY,
            held=Held(account=account, log_e=math.log(1e5), accused=True, campaign=None, since=NOW - 60,
                      effective=NOW - 60, expires=NOW + DAY) if own else None,
            warned=Warned(account=account, organisations=len(match.organisations), families=match.families,
                          since=NOW - 60, effective=NOW - 60, expires=match.until) if match else None,
        )  # fmt: skip
        found["ours"][f"{kind} {decide(subject, LADDER, NOW).kind}"] += 1
        believed = replace(subject, decided="confirm") if match else subject
        found["believed"][f"{kind} {decide(believed, LADDER, NOW).kind}"] += 1
        for rule, refuse in (("union", len(words) >= 1), ("two accounts", len(words) >= 2),
                             ("two organisations", len(set(words)) >= 2)):  # fmt: skip
            found[rule][f"{kind} {'refuse' if refuse or own else 'allow'}"] += 1
    return found


def run(seed: int, colluding: int, *, sneaky: bool) -> dict[str, Counter[str]]:
    """Return by rule the orders at all honest organisations of one world."""
    rng = random.Random(seed * 1_000 + colluding)
    providers = world(rng)
    liars, victims = providers[:colluding], providers[colluding:]
    poison = lies(victims, liars, sneaky, rng) if liars else []
    advisories = [one for p in providers for one in told(p, poison if p in liars else ())]
    total: dict[str, Counter[str]] = {}
    for victim in victims:
        for rule, counts in outcome(victim, advisories).items():
            total.setdefault(rule, Counter()).update(counts)
    alarms = sum(a not in v.hostile for v in victims for a in v.accused)
    total["alarms"] = Counter({"local": alarms})
    return total


def report(seeds: Sequence[int]) -> str:
    """Return the table over seeds."""
    rows = []
    for colluding in (0, 1, 2, 3):
        for sneaky in (False, True) if colluding else (False,):
            total: dict[str, Counter[str]] = {}
            for seed in seeds:
                for rule, counts in run(seed, colluding, sneaky=sneaky).items():
                    total.setdefault(rule, Counter()).update(counts)
            honest = sum(n for name, n in total["ours"].items() if name.startswith("honest"))
            local = total["alarms"]["local"] / honest
            for rule in ("ours", "believed", "two organisations", "two accounts", "union"):
                rows.append(_row(colluding, sneaky, rule, total[rule], local))
    head = ["colluding", "aim", "rule", "honest refused", "95 %", "local alarms", "beyond", "honest stepped up",
            "honest marked", "campaign refused", "campaign reached"]  # fmt: skip
    return table(head, rows)


def _row(colluding: int, sneaky: bool, rule: str, counts: Counter[str], local: float) -> list[str]:
    honest = sum(n for name, n in counts.items() if name.startswith("honest"))
    hostile = sum(n for name, n in counts.items() if name.startswith("campaign"))
    low, high = (float(end) for end in clopper_pearson(counts["honest refuse"], honest))
    refused = counts["honest refuse"] / honest
    reached = 1.0 - counts["campaign allow"] / hostile
    return [
        str(colluding), "-" if not colluding else "few" if sneaky else "all", rule, f"{refused:.2%}",
        f"{low:.2%}-{high:.2%}", f"{local:.2%}", f"{(refused - local) * 100:+.2f} points",
        f"{counts['honest challenge'] / honest:.2%}", f"{counts['honest mark'] / honest:.2%}",
        f"{counts['campaign refuse'] / hostile:.1%}", f"{reached:.1%}",
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    print(report(range(given.seed, given.seed + given.seeds)))


if __name__ == "__main__":
    main()
