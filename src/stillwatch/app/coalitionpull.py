"""Pull what members tell: read on from where the last reading ended, fetch token sets, forget what was withdrawn.

In: settings, the member's file, the time. Out: counts. Each page is kept with its place in one change, so a reading
that was cut off goes on where it was. Left to `exchange.taxii.received`: what stands now.
"""

from dataclasses import dataclass

from stillwatch.app.coalitionconfig import CoalitionConfig
from stillwatch.exchange.taxii.client import Reach, TaxiiClient
from stillwatch.exchange.taxii.received import Received


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull brought."""

    pages: int
    objects: int
    """New, or newer than what was here."""
    sets: int
    """Token sets fetched."""
    gone: int
    """Token sets that the hub no longer has."""
    in_force: int
    """Advisories that may be matched now."""
    revoked: int
    disputed: int
    expired: int
    unsupported: tuple[str, ...] = ()
    """Subjects that were told from here and have lost their ground."""


async def pull(config: CoalitionConfig, reach: Reach, received: Received, now: float) -> Pulled:
    """Read everything that is new, and return what stands.

    Raises:
        StillwatchError: the hub cannot be reached, or answers with something else; what was read is kept.
    """
    pages = objects = sets = gone = 0
    hub, where = reach.url, config.collection
    async with TaxiiClient(reach) as client:
        root = await client.root_url()
        start = received.place(hub, where)
        async for page in client.pages(root, where, added_after=start, limit=config.page):
            objects += received.take(hub, where, page.objects, page.last)
            pages += 1
        received.forget_expired(now)
        for digest in received.wanted(now):
            body = await client.get_blob(root, digest)
            if body is None:
                gone += 1
            else:
                received.put_set(digest, body)
                sets += 1
    every = received.all()
    return Pulled(
        pages=pages, objects=objects, sets=sets, gone=gone,
        in_force=sum(a.in_force(now) and bool(a.tokens) for a in every),
        revoked=sum(a.revoked for a in every), disputed=sum(bool(a.disputed_by) and not a.revoked for a in every),
        expired=sum(a.valid_until <= now and not a.revoked for a in every),
    )  # fmt: skip
