"""Compliance: what is configured and measured here, held against the controls that auditors cite.

In: the settings, the state folder, the packaged catalogue of controls. Out: one row for each pair of a capability and
a control, with the control's release and status, and evidence that was read from this machine a moment ago. Every
mapping is ours, and says so: no framework has published one for distillation. A row is a claim about this installation,
not a certificate; counsel decides what applies.
Left to `complianceevidence`: reading the evidence.
Source: `data/frameworks.json`, with the day on which it was read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

import msgspec

from stillwatch.terms.errors import StillwatchError

STATES: Final = ("in force", "shadow", "off", "gap")
"""In force here; only recorded; possible and not switched on; configured below what the control asks."""


class Framework(msgspec.Struct, frozen=True):
    """One catalogue of controls, in one release."""

    name: str
    release: str
    published: str
    status: str
    """`final`, `draft`, `superseded`, `law` or `policy`."""
    note: str
    controls: dict[str, str]
    """Id -> name."""


class _Catalogue(msgspec.Struct, frozen=True):
    read: str
    frameworks: tuple[Framework, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one capability shows of itself here."""

    state: str
    """One of `STATES`."""
    lines: tuple[str, ...]
    """Evidence: each a figure or a setting, and where it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One control, and what here answers it."""

    control: str
    name: str
    framework: str
    release: str
    published: str
    status: str
    mapping: str
    """Whose mapping it is: `ours`."""
    capability: str
    state: str
    evidence: tuple[str, ...]


MAPPING: Final[Mapping[str, tuple[str, ...]]] = {
    "detection": ("AML.T0024.002", "AML.T0040", "AML.T0005.001", "AML.M0015", "LLM06:2026", "LLM02:2026", "NISTAML.031",
                  "AC-2(12)", "IR-4(4)", "SI-4(2)", "CA-7", "ML05:2023", "AML.T0008.005", "AML.T0021"),
    "limits": ("AML.M0004", "SC-5", "API4:2023", "LLM10:2025"),
    "identity": ("AML.M0019", "IA-8"),
    "telemetry": ("AML.M0024", "AU-12", "SI-4(4)", "AIA-26(6)"),
    "probabilities": ("AML.M0002", "LLM10:2025"),
    "marks": ("MS-2.7-005", "LLM02:2026", "AML.T0048.004"),
    "canaries": ("AML.M0039",),
    "human decision": ("GDPR-22",),
    "minimisation": ("SI-12(1)", "PT-2", "RA-8", "GDPR-5(1)(c)", "GDPR-13"),
    "retention": ("GDPR-5(1)(e)",),
    "access and erasure": ("GDPR-15", "GDPR-17"),
    "evidence": ("AU-9(3)", "AU-10", "AIA-55(1)(d)"),
    "red team": ("MS-2.7-001", "MS-2.7-007"),
    "sharing": ("IR-6(1)", "NSTM-4"),
}  # fmt: skip
"""Capability -> controls that it answers, in part or whole."""


def catalogue() -> tuple[str, tuple[Framework, ...]]:
    """Return the day on which the packaged frameworks were read, and the frameworks."""
    found = resources.files("stillwatch.app").joinpath("data/frameworks.json").read_bytes()
    read = msgspec.json.decode(found, type=_Catalogue)
    return read.read, read.frameworks


def rows(shown: Mapping[str, Shown], mapping: Mapping[str, tuple[str, ...]] = MAPPING) -> tuple[Row, ...]:
    """Return a row for each control of the mapping, by framework, control and capability.

    Args:
        shown: Capability -> what it shows here; every capability of the mapping must be there.
        mapping: Capability -> ids.

    Raises:
        StillwatchError: an id is in no framework, or a capability shows nothing.
    """
    frameworks = catalogue()[1]
    return tuple(
        row
        for framework in frameworks
        for control in framework.controls
        for row in _of(framework, control, shown, checked(mapping, shown, frameworks))
    )


def checked(
    mapping: Mapping[str, tuple[str, ...]], shown: Mapping[str, Shown], frameworks: tuple[Framework, ...]
) -> Mapping[str, tuple[str, ...]]:
    """Return the mapping, once every id and every capability of it is known.

    Raises:
        StillwatchError: one is not.
    """
    known = {control for framework in frameworks for control in framework.controls}
    for capability, ids in mapping.items():
        if capability not in shown:
            raise StillwatchError(
                f"compliance: capability {capability!r} shows nothing; must be one of {', '.join(shown)}."
            )
        for control in ids:
            if control not in known:
                raise StillwatchError(
                    f"compliance: control {control!r} of {capability!r} is in no framework of the catalogue; "
                    "`stillwatch compliance controls` lists them."
                )
    return mapping


def _of(
    framework: Framework, control: str, shown: Mapping[str, Shown], mapping: Mapping[str, tuple[str, ...]]
) -> Iterator[Row]:
    for capability, ids in mapping.items():
        if control in ids:
            yield Row(
                control=control, name=framework.controls[control], framework=framework.name, release=framework.release,
                published=framework.published, status=framework.status, mapping="ours", capability=capability,
                state=shown[capability].state, evidence=shown[capability].lines,
            )  # fmt: skip
