"""Everything that runs during one `stillwatch run`: teacher, stand-in upstream, gateway with its watcher, client.

In: a `RunRequest`. Out: a `Stage`, taken down in the opposite order when the stack closes.
What an earlier run of the same seed left is gone on with. Left to `show`: what happens on it.
"""

import asyncio
import contextlib
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Final

from stillwatch.app.cast import DAY, Cast, cast_of, issue_keys
from stillwatch.app.consoledoor import NewPerson, add_person
from stillwatch.app.control import Book, key_secret, open_control
from stillwatch.app.gatewayprocess import GatewayProcess, free_port, start_gateway
from stillwatch.app.livefolder import EventClock, read_clock
from stillwatch.app.runfolder import Progress, RunFolder, SignIn
from stillwatch.app.runrequest import RunRequest, Told
from stillwatch.app.settings import load_settings
from stillwatch.lab.liveplan import REPLAYED_DAYS
from stillwatch.lab.replay import Sender, Tally, Wire
from stillwatch.lab.standin import StandIn
from stillwatch.lab.teacher import Teacher, start_teacher
from stillwatch.policy.config import PolicyConfig
from stillwatch.store.control import SqliteControl
from stillwatch.store.people import People
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.exchange import Exchange

LEAD_SECONDS: Final = 4.0
"""Wall seconds that gateway and watcher get to start."""
SETTINGS: Final = """\
# Written by `stillwatch run` at each start. Times are short so that a person can watch; see docs/reference/settings.md.
[gateway]
upstream = "{upstream}"
trusted_proxies = ["127.0.0.1/32"]

[serve]
host = "127.0.0.1"
port = {port}
workers = 1
admin_port = 0

[console]
enabled = true
port = {console}

[policy]
batch_seconds = 1.0
jitter_seconds = 4.0

[spool]
roll_seconds = 0.3

[watch]
settle_seconds = 1.0
rest_share = 0.2
time_lapse = {factor!r}
time_origin = {origin!r}
time_until = {until!r}
"""


@dataclass(slots=True, kw_only=True)
class Stage:
    """What runs, and what is counted."""

    request: RunRequest
    told: Told
    folder: RunFolder
    cast: Cast
    progress: Progress
    kept: bool
    """An earlier run is gone on with."""
    clock: EventClock
    no_teacher: str
    """Why no model answers; empty when one does."""
    standin: StandIn
    gateway: GatewayProcess
    keys: dict[str, str] = field(repr=False)
    sender: Sender
    tally: Tally
    book: Book
    policy: PolicyConfig
    console: str
    """Address of the console."""
    sign_in: SignIn

    def waiting(self) -> list[Exchange]:
        """Return what of the replay was not sent yet."""
        return self.cast.replayed[self.progress.replayed :]

    @property
    def url(self) -> str:
        """Address of the gateway, without `/v1`."""
        return self.gateway.url

    def check(self) -> None:
        """Find out whether the gateway still runs.

        Raises:
            StillwatchError: it ended.
        """
        if self.gateway.process.returncode is not None:
            raise StillwatchError(f"the gateway ended; {self.folder.log} says why.")

    def keep(self, **changes: int) -> None:
        """Write down how far it got."""
        asked = self.progress.asked
        self.progress = replace(self.progress, **changes)
        self.folder.keep_progress(replace(self.progress, asked=asked + self.standin.answered.asked))


async def set_up(request: RunRequest, told: Told, stack: AsyncExitStack) -> Stage:
    """Start everything; what was started is stopped by `stack`.

    Raises:
        StillwatchError: the folder cannot be written, belongs to another run, or the gateway did not start.
    """
    folder = RunFolder(request.folder)
    stack.enter_context(folder.taken(fresh=request.fresh))
    told.tick("starting the model")
    loading = asyncio.create_task(_teacher(request, stack))
    told.tick("composing traffic")
    before = folder.progress()
    progress = before or Progress(seed=request.seed, start=_start(time.time()), seconds=request.seconds)
    cast = await asyncio.to_thread(cast_of, progress.seed, progress.start)
    book = stack.enter_context(open_control(folder.live.state))
    keys = _keys(folder, book, cast)
    sign_in = _sign_in(folder, book)
    teacher, no_teacher = await loading
    standin = StandIn(
        [*cast.replayed, *cast.further], teacher.url if teacher else "", teacher.key if teacher else "", progress.asked
    )
    upstream = await stack.enter_async_context(standin.listening())
    told.tick("starting gateway and watcher")
    port, console = free_port(request.port), free_port(request.console_port)
    factor = (cast.end - cast.start) / progress.seconds
    progress = replace(progress, origin=_origin(progress, cast, factor))
    if progress.replayed < len(cast.replayed):
        folder.live.clock.unlink(missing_ok=True)  # one that an earlier start left would be ahead of the replay
    folder.settings.write_text(
        SETTINGS.format(
            upstream=upstream, port=port, console=console, factor=factor, origin=progress.origin, until=cast.end
        )
    )
    gateway = await start_gateway(folder, port)
    stack.push_async_callback(gateway.stop)
    tally = Tally()
    sender = await stack.enter_async_context(Sender(Wire(url=gateway.url, keys=keys, groups=cast.groups), tally))
    settings = load_settings(folder.settings)
    return Stage(
        request=request, told=told, folder=folder, cast=cast, progress=progress, kept=before is not None,
        clock=read_clock(folder.live), no_teacher=no_teacher, standin=standin, gateway=gateway, keys=keys,
        sender=sender, tally=tally, book=book, policy=settings.policy, console=f"http://127.0.0.1:{console}",
        sign_in=sign_in,
    )  # fmt: skip


def _start(now: float) -> float:
    """Return the midnight from which the replayed days end today."""
    return now // DAY * DAY - REPLAYED_DAYS * DAY


async def _teacher(request: RunRequest, stack: AsyncExitStack) -> tuple[Teacher | None, str]:
    """Return the teacher, or why there is none."""
    if not request.teacher:
        return None, "left out as asked"
    starting = asyncio.create_task(asyncio.to_thread(start_teacher))
    try:
        teacher = await asyncio.shield(starting)
    except StillwatchError as problem:
        return None, str(problem).removeprefix("teacher: ").rstrip(".")
    except asyncio.CancelledError:
        with contextlib.suppress(StillwatchError):
            (await starting).stop()
        raise
    stack.callback(teacher.stop)
    return teacher, ""


def _keys(folder: RunFolder, book: Book, cast: Cast) -> dict[str, str]:
    """Return every account's key, made where an earlier run has not."""
    keys = folder.read_keys()
    if not keys:
        keys = issue_keys(book, key_secret(folder.live.state), cast, time.time())
        folder.keep_keys(keys)
        folder.keep_truth(cast.truth)
    return keys


def _sign_in(folder: RunFolder, book: SqliteControl) -> SignIn:
    """Return who signs in to the console, made where an earlier run has not."""
    found = folder.read_sign_in()
    if found is None:
        found = SignIn(name="you", password=secrets.token_urlsafe(12))
        add_person(People(book), NewPerson(name=found.name, role="admin", password=found.password), time.time())
        folder.keep_sign_in(found)
    return found


def _origin(progress: Progress, cast: Cast, factor: float) -> float:
    """Return where the gateway's clock begins, so that the next request is due once the gateway is ready.

    After the replay the clock that is kept goes on.
    """
    left = cast.replayed[progress.replayed :]
    if progress.origin and not left:
        return progress.origin
    return max(left[0].time if progress.replayed else cast.start, cast.start) - LEAD_SECONDS * factor
