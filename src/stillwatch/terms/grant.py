"""Grants: licences to distil, as a provider gives them and its gateway counts them.

Frozen; a grant's token is in none of them, only what it says. Left to `app.grants`: giving and ending one. Left to
`gateway.grants`: letting a request pass under one.
Source: RFC 9396, "OAuth 2.0 Rich Authorization Requests", whose `authorization_details` a grant's token carries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

GRANT_TYPE: Final = "distillation_grant"
"""`type` of the one entry of `authorization_details`."""
OWNER_STEM: Final = "grant:"
"""Answers under a grant are marked with the key of this and the grant's id, so that a leak names the licence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRecord:
    """One licence to train a student on a model's answers."""

    id: str
    """Public id, such as `g_4f2a...`."""
    account: str
    """Account that it was given to."""
    organisation: str
    """Legal name of who may train."""
    models: tuple[str, ...]
    """Models whose answers it covers, as patterns; at least one."""
    tokens: int
    """Tokens, in and out, that it covers in all; above 0."""
    purposes: tuple[str, ...]
    """What the student may be used for, in words."""
    student_parameters: int = 0
    """Most parameters of the student; 0 for no limit."""
    redistribution: str = "none"
    """`none`, `weights` or `outputs`: what may be passed on."""
    thumbprint: str
    """RFC 7638 thumbprint of the key that the holder proves with each request."""
    issued: float
    """Seconds since 1970 (likewise below)."""
    expires: float
    by: str
    """Who gave it."""
    reason: str
    revoked: float | None = None
    revoked_by: str = ""

    def good_at(self, now: float) -> bool:
        """Whether requests may be made under it at `now`; its tokens are looked at elsewhere."""
        return self.revoked is None and self.issued <= now < self.expires

    @property
    def owner(self) -> str:
        """Name under which its answers are marked."""
        return OWNER_STEM + self.id


class GrantRegistry(Protocol):
    """Grants and what was used of them; a change is durable when the call returns."""

    def grants(self) -> tuple[GrantRecord, ...]:
        """Return every grant, ended ones too, oldest first."""
        ...

    def add_grant(self, record: GrantRecord) -> None:
        """Keep a grant for ever; an id that is there already is refused."""
        ...

    def revoke_grant(self, grant: str, at: float, by: str) -> None:
        """End a grant; one that was revoked before, or is not there, stays as it was."""
        ...

    def grant_use(self) -> Mapping[str, int]:
        """Return the tokens used under each grant; those without use may be left out."""
        ...

    def add_grant_use(self, grant: str, tokens: int) -> None:
        """Add to the tokens used under a grant; does not change the generation."""
        ...
