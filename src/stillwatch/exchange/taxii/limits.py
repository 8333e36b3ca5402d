"""How much a member may send and ask for; frozen, and checked when built.

In: settings. Out: `Limits`. Left to `app.hubconfig`: the settings file.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one hub allows."""

    max_content_length: int = 10_485_760
    """Most bytes of a body."""
    page_size: int = 100
    """Objects in a page where a member does not say."""
    max_page_size: int = 1_000
    objects_per_post: int = 10_000
    objects_per_day: int = 50_000
    """Objects that one organisation may add in a day of UTC."""
    blob_bytes_per_day: int = 268_435_456
    requests_per_minute: int = 1_200
    """Requests of one member, counted in each process."""
    status_days: float = 7.0
    """How long a status can be asked for."""
