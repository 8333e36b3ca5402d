"""Traffic Light Protocol 2.0: how far a warning may travel.

In: a level. Out: the marking's id and its object. `stix2` knows the four constants of TLP 1 only; those are refused,
because a marking that the reader's tool does not know is no marking.
Source: FIRST, "Traffic Light Protocol 2.0", and the extension definition that OASIS published for it on 2022-10-01.
"""

from typing import Any, Final

EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
CREATED: Final = "2022-10-01T00:00:00.000Z"
LEVELS: Final = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
"""Level -> id of its marking."""
SHARED: Final = ("clear", "green", "amber", "amber+strict")
"""Levels that a hub carries. Red is for named people in one conversation, which a collection is not."""
LEVEL_OF: Final = {marking: level for level, marking in LEVELS.items()}
TLP_1: Final = frozenset(
    [
        "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
        "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
        "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
        "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
    ]
)
"""Ids of the four markings of TLP 1, which mean something else."""


def marking(level: str) -> dict[str, Any]:
    """Return the marking-definition object of a level, equal to the published one.

    >>> marking("amber")["name"]
    'TLP:AMBER'
    """
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": LEVELS[level], "created": CREATED,
        "name": f"TLP:{level.upper()}",
        "extensions": {EXTENSION: {"extension_type": "property-extension", "tlp_2_0": level}},
    }  # fmt: skip
