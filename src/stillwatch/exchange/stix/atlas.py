"""Techniques of MITRE ATLAS that a campaign of distillation uses, under the ids that ATLAS itself publishes.

In: an ATLAS id such as `AML.T0024.002`. Out: its attack-pattern. Names change between releases and ids do not, so
each is cited with its release. `created` and `modified` are the dates that the release states of the technique.
Source: MITRE ATLAS data 5.6.0 (2026-05), ids from its STIX export; https://atlas.mitre.org.
"""

from dataclasses import dataclass
from typing import Any, Final

RELEASE: Final = "5.6.0"
"""Release that names, ids and dates were read from."""


@dataclass(frozen=True, slots=True)
class Technique:
    """One technique of the release."""

    id: str
    """As ATLAS numbers it."""
    name: str
    uuid: str
    """Of its attack-pattern."""
    created: str
    modified: str


TECHNIQUES: Final = {
    t.id: t
    for t in (
        Technique("AML.T0024.002", "Extract AI Model",
                  "3f567912-629a-5e0b-ab0c-0102977c2d6c", "2021-05-13", "2025-12-23"),
        Technique("AML.T0008.005", "AI Service Proxies",
                  "647ac4ac-b2bc-53f7-ab83-81f421a1f0b5", "2026-03-30", "2026-03-30"),
        Technique("AML.T0040", "AI Model Inference API Access",
                  "5ac1f849-523e-51bf-a1e9-1a97ab91cc91", "2021-05-13", "2025-03-12"),
        Technique("AML.T0021", "Establish Accounts",
                  "d3d7763a-58e1-5e38-84fd-3abea967cb08", "2022-01-24", "2023-01-18"),
        Technique("AML.T0048.004", "AI Intellectual Property Theft",
                  "73772ced-edba-578c-bacd-703e082a9c57", "2021-05-13", "2025-04-09"),
    )
}  # fmt: skip
"""Technique by ATLAS id."""


def attack_pattern(technique: Technique) -> dict[str, Any]:
    """Return the attack-pattern of a technique, with ATLAS's own id and an address to read more at.

    >>> attack_pattern(TECHNIQUES["AML.T0040"])["id"]
    'attack-pattern--5ac1f849-523e-51bf-a1e9-1a97ab91cc91'
    """
    return {
        "type": "attack-pattern", "spec_version": "2.1", "id": f"attack-pattern--{technique.uuid}",
        "created": f"{technique.created}T00:00:00.000Z", "modified": f"{technique.modified}T00:00:00.000Z",
        "name": technique.name,
        "external_references": [
            {"source_name": "mitre-atlas", "external_id": technique.id,
             "description": f"MITRE ATLAS, release {RELEASE}.",
             "url": f"https://atlas.mitre.org/techniques/{technique.id}"}
        ],
    }  # fmt: skip
