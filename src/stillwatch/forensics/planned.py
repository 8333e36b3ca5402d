"""Whether an examination went as its protocol said: the same tests, parameters, samples and denominators.

In: the protocol, the findings, what the ledger had committed to. Out: what is wrong, in words; nothing where all is
as planned. Left to `forensics.conclusion`: what the findings come to. Left to `app`: signatures, order, digests.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from stillwatch.terms.canon import number
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import KINDS, Finding, Material
from stillwatch.terms.protocol import (
    AUTHORITIES,
    MULTIPLICITY,
    PROTOCOL_VERSION,
    Denominator,
    ExamProtocol,
    PlannedTest,
    hypotheses,
)
from stillwatch.terms.reveal import Item


def protocol_problems(protocol: ExamProtocol) -> tuple[str, ...]:
    """Return what is wrong with a protocol in itself."""
    return tuple(_of_protocol(protocol))


def finding_problems(protocol: ExamProtocol, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return where findings are not those that were planned."""
    tests = {test.id: test for test in protocol.tests}
    found = [problem for finding in findings for problem in _of_finding(finding, tests.get(finding.test))]
    seen = Counter(finding.test for finding in findings)
    found += [
        f"test {name}: was planned and has no finding, not even a skipped one" for name in tests if not seen[name]
    ]
    counted = Counter(f.test for f in findings if not f.skipped and (f.log_p is not None or f.nats is not None))
    found += [
        f"test {name}: {counted[name]} hypotheses were tested and {test.family} were planned"
        for name, test in tests.items()
        if counted[name] > test.family
    ]
    twice = Counter((finding.test, finding.subject) for finding in findings)
    found += [f"test {name}: subject {subject} has {n} findings" for (name, subject), n in twice.items() if n > 1]
    return tuple(found)


def denominator_problems(protocol: ExamProtocol, held: Sequence[Denominator]) -> tuple[str, ...]:
    """Return where the protocol knows of fewer secrets than the ledger had committed to.

    Args:
        protocol: As it was signed.
        held: What the ledger's entries before the protocol commit to, counted anew.
    """
    said = {one.kind: one for one in protocol.denominators}
    found = []
    for one in held:
        if one.kind == "seed":
            continue
        told = said.get(one.kind)
        if told is None or (told.count, dict(told.groups)) != (one.count, dict(one.groups)):
            found.append(
                f"denominator of {one.kind}: the protocol says {told.count if told else 0} in "
                f"{len(told.groups) if told else 0} groups, the ledger {one.count} in {len(one.groups)}"
            )
    ledger = {one.kind: one for one in held}
    for test in protocol.tests:
        if not test.secrets:
            continue
        there = ledger.get(test.secrets)
        if there is None:
            found.append(f"test {test.id}: opens secrets of kind {test.secrets}, and the ledger committed to none")
        elif test.family < hypotheses(there, test.groups):
            found.append(
                f"test {test.id}: counts {test.family} hypotheses, and the ledger committed to "
                f"{hypotheses(there, test.groups)} of {test.secrets}"
            )
    return tuple(found)


def opening_problems(
    protocol: ExamProtocol, findings: Sequence[Finding], opened: Mapping[str, Sequence[Item]]
) -> tuple[str, ...]:
    """Return where a finding rests on secrets that its test did not plan to open, and so did not count.

    Args:
        protocol: As it was signed.
        findings: All of them.
        opened: Items of each material that opens secrets, by the material's name.
    """
    tests = {test.id: test for test in protocol.tests}
    found: dict[str, None] = {}
    for finding in findings:
        test = tests[finding.test]
        for item in (item for one in finding.materials for item in opened.get(one.name, ())):
            kind = "mark-key" if item.kind == "mark-epoch" else item.kind
            group = "" if item.kind == "mark-epoch" else item.group
            if kind in ("seed", "mark-context"):
                continue
            if kind != test.secrets or (test.groups and group not in test.groups):
                found[f"test {test.id}: opens secrets of kind {kind}, {item.group}, which it did not plan to count"] = (
                    None
                )
    return tuple(found)


def recomputed_problems(findings: Sequence[Finding], again: Sequence[Finding]) -> tuple[str, ...]:
    """Return where findings that were computed again differ from those that are claimed.

    Whole numbers and words must be equal; real numbers may differ by one part in 10^9, since another machine's
    logarithm may differ in its last bits.
    """
    if [(f.test, f.subject) for f in findings] != [(f.test, f.subject) for f in again]:
        return ("findings: computed again there are others, or in another order",)
    return tuple(
        f"test {one.test}, {one.subject}: computed again its {name} is another"
        for one, other in zip(findings, again, strict=True)
        for name in _differing(one, other)
    )


def _of_protocol(protocol: ExamProtocol) -> Iterator[str]:
    ids = {one.id for one in protocol.hypotheses}
    names = Counter(test.id for test in protocol.tests)
    try:
        alpha = number(protocol.alpha)
    except StillwatchError:
        alpha = math.nan
    for fine, what in (
        (protocol.version == PROTOCOL_VERSION, f"protocol: version {protocol.version} is not known"),
        (0.0 < alpha < 1.0, f"protocol: alpha {protocol.alpha[:40]} must lie strictly between 0 and 1"),
        (protocol.multiplicity == MULTIPLICITY, f"protocol: multiplicity must be {MULTIPLICITY}"),
        (protocol.authority.kind in AUTHORITIES, f"protocol: authority must be one of {', '.join(AUTHORITIES)}"),
        (bool(protocol.authority.reference and protocol.authority.by), "protocol: authority must name whose it is"),
        (bool(protocol.tests), "protocol: plans no test"),
        (bool(protocol.question), "protocol: asks no question"),
        (max(names.values(), default=1) == 1, "protocol: two tests have one id"),
    ):
        if not fine:
            yield what
    for test in protocol.tests:
        if test.hypothesis not in ids:
            yield f"test {test.id}: names no hypothesis of the protocol"
        if test.family < 1 or test.samples < 1:
            yield f"test {test.id}: family and samples must be at least 1"


def _of_finding(finding: Finding, test: PlannedTest | None) -> Iterator[str]:
    where = f"finding of test {finding.test}, {finding.subject}"
    if test is None:
        yield f"{where}: was not planned"
        return
    if finding.exam != test.exam:
        yield f"{where}: is of exam {finding.exam}, planned was {test.exam}"
    if finding.kind not in KINDS:
        yield f"{where}: kind {finding.kind[:40]} is none of {', '.join(KINDS)}"
    if dict(finding.parameters) != dict(test.parameters):
        yield f"{where}: its parameters are not those that were planned"
    if finding.unit == test.unit and finding.n > test.samples:
        yield f"{where}: {finding.n} {finding.unit} were used, {test.samples} were planned"
    if finding.nats is not None and not test.bet:
        yield f"{where}: gives nats, and no bet was planned"
    if finding.kind == "identity" and finding.log_p is not None:
        yield f"{where}: identity is triage and has no p-value"
    for name, low, high in (("log_p", -math.inf, 0.0), ("least_log_p", -math.inf, 0.0), ("nats", -math.inf, math.inf)):
        if not _within(getattr(finding, name), low, high):
            yield f"{where}: {name} is out of range"


def _within(text: str | None, low: float, high: float) -> bool:
    if text is None:
        return True
    try:
        value = number(text)
    except StillwatchError:
        return False
    return math.isfinite(value) and low <= value <= high


def _differing(one: Finding, other: Finding) -> Iterator[str]:
    for name in Finding.__slots__:
        if not _same(getattr(one, name), getattr(other, name)):
            yield name


def _same(one: object, other: object) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, str) and isinstance(other, str) and one != other and "0x" in one and "0x" in other:
        try:
            return math.isclose(number(one), number(other), rel_tol=1e-9, abs_tol=1e-300)
        except StillwatchError:
            return False
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Material) and isinstance(other, Material):
        return one == other
    return one == other
