"""`stillwatch run`: started, watched, told, and stopped in order.

In: a `RunRequest` and where to say things. Out: 0 when the campaign was shown or a person ended the run, 1 when the
replay ended without a verdict. State is kept: the same seed goes on where it was.
Left to `runstage`: what runs. Left to `shown`: what the verdicts say. Left to `stillwatch serve`: the product itself.
"""

import asyncio
import contextlib
import signal
import time
from contextlib import AsyncExitStack
from itertools import islice
from typing import Final

from stillwatch.app.cast import CAMPAIGN, DAY, HONEST
from stillwatch.app.runrequest import RunRequest, Told
from stillwatch.app.runstage import Stage, set_up
from stillwatch.app.shown import REPORT, Seen, Viewer
from stillwatch.app.tryout import commands
from stillwatch.console.live import Caught, Setting, answers, caught, next_steps, opening
from stillwatch.console.terminal import Paper
from stillwatch.lab.teacher import MODEL

VERDICT_SECONDS: Final = 45.0
"""Wall seconds that the last verdict may take after the replay."""
PACE: Final = 1.0
"""Wall seconds between two pairs of requests after the replay."""
LOOK_SECONDS: Final = 0.5


def run(request: RunRequest, told: Told) -> int:
    """Run until the verdict was shown (`once`), or until a person or a signal ends it.

    Raises:
        StillwatchError: the folder cannot be written, or the gateway did not start.
    """
    return asyncio.run(_until_stopped(request, told))


async def _until_stopped(request: RunRequest, told: Told) -> int:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    story = asyncio.create_task(_story(request, told))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((story, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if story.done():
        return story.result()
    told.tick("stopping: the gateway finishes what it has in hand")
    story.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await story
    told.say(f"Stopped. Everything is kept in {request.folder}; the same command goes on from there.")
    return 0


async def _story(request: RunRequest, told: Told) -> int:
    async with AsyncExitStack() as stack:
        stage = await set_up(request, told, stack)
        told.say(opening(_setting(stage), _paper(stage)))
        viewer = Viewer(stage.folder.live, stage.cast)
        try:
            seen = await _replayed(stage, viewer)
            if seen is None:
                told.say(f"No campaign was accused; {stage.folder.log} says what the gateway and the watcher did.")
                return 1
            _tell(stage, viewer, seen)
            if not request.once:
                await _further(stage, viewer)
            return 0
        finally:
            stage.keep()


def _setting(stage: Stage) -> Setting:
    cast = stage.cast
    return Setting(
        seed=stage.progress.seed, teacher="" if stage.no_teacher else MODEL, no_teacher=stage.no_teacher,
        honest=len(cast.honest()), members=len(cast.members()), requests=len(cast.replayed),
        days=(cast.end - cast.start) / DAY, seconds=stage.progress.seconds, url=stage.url,
        folder=str(stage.folder.live.state), kept=stage.kept, console=stage.console, person=stage.sign_in.name,
        password=stage.sign_in.password,
    )  # fmt: skip


async def _replayed(stage: Stage, viewer: Viewer) -> Seen | None:
    """Send what is left of the replay, and return the verdict after it; None when there is none in time."""
    replay = asyncio.create_task(stage.sender.replay(stage.waiting(), stage.clock.wall_of))
    done = stage.progress.replayed
    seen: Seen | None = None
    until = float("inf")
    try:
        while time.monotonic() < until:
            ended = replay.done()
            if ended and until == float("inf"):
                await replay
                until = time.monotonic() + VERDICT_SECONDS
            stage.check()
            stage.keep(replayed=done + stage.tally.sent)
            new = viewer.look()
            if new is not None:
                if seen is None and not ended:
                    _tell_first(stage, new)
                seen = new
            if ended and seen is not None and seen.judged_until >= stage.cast.end:
                return seen
            _tick(stage, seen, ended)
            await asyncio.sleep(LOOK_SECONDS)
        return seen
    finally:
        replay.cancel()


def _tell_first(stage: Stage, seen: Seen) -> None:
    day = (seen.judged_until - stage.cast.start) / DAY
    stage.told.say(
        f"By day {day:.1f}: {len(seen.campaign.accounts)} accounts are accused as campaign {seen.campaign.id}, "
        "in shadow. The traffic goes on."
    )


def _tick(stage: Stage, seen: Seen | None, ended: bool) -> None:
    sent, asked = stage.tally.sent, stage.standin.answered
    days = (stage.clock.at(time.time()) - stage.cast.start) / DAY
    total = (stage.cast.end - stage.cast.start) / DAY
    doing = "weighing the last block" if ended else f"day {min(max(days, 0.0), total):.1f} of {total:g}"
    found = f"; {len(seen.campaign.accounts)} accounts accused" if seen else ""
    stage.told.tick(f"{doing}: {sent:,} requests, {answers(asked.teacher, asked.replayed, _model(stage))}{found}")


def _paper(stage: Stage) -> Paper:
    return Paper(stage.request.width, stage.request.colour)


def _model(stage: Stage) -> str:
    return "" if stage.no_teacher else MODEL


def _tell(stage: Stage, viewer: Viewer, seen: Seen) -> None:
    now, asked = time.time(), stage.standin.answered
    action = viewer.action(stage.book, stage.policy, viewer.member(seen), now)
    shown = Caught(
        report=seen.report, campaign=seen.campaign, truth=seen.truth, action=action, receipt=seen.receipt
    )  # fmt: skip
    stage.told.say(
        f"This run sent {stage.tally.sent:,} requests: {answers(asked.teacher, asked.replayed, _model(stage))}; "
        f"{sum(stage.tally.refused.values()):,} refused."
    )
    stage.told.say(caught(shown, _paper(stage)))
    page = stage.folder.live.report / REPORT
    decided = viewer.decided(stage.book, now) is not None
    stage.told.say(
        next_steps(commands(stage, viewer.member(seen), seen.campaign.id), str(page), decided, _paper(stage))
    )


async def _further(stage: Stage, viewer: Viewer) -> None:
    """Let the campaign and honest accounts go on, a request of each at a time, until somebody ends the run."""
    told, tally = stage.told, stage.tally
    tally.clear()
    told.say("The campaign goes on, a request a second, and so do the others. Ctrl-C ends everything.")
    confirmed = viewer.confirmed(stage.book, time.time()) is not None
    left = iter(stage.cast.further[stage.progress.further :])
    while pair := list(islice(left, 2)):
        stage.check()
        await asyncio.gather(*(stage.sender.send(x) for x in pair))
        stage.keep(further=stage.progress.further + len(pair))
        decided = viewer.confirmed(stage.book, time.time())
        if decided is not None and not confirmed:
            confirmed = True
            told.say(f"Confirmed by {decided.by}. {_counts(stage)}; from here on:")
            tally.clear()
        told.tick(_counts(stage))
        if confirmed and tally.refused[CAMPAIGN] == 10:
            told.say(f"It bites. {_counts(stage)}.")
        await asyncio.sleep(PACE)
    told.say("The composed traffic is used up; the gateway stays for you until Ctrl-C.")
    await asyncio.Event().wait()


def _counts(stage: Stage) -> str:
    tally = stage.tally
    return "; ".join(
        f"{name}: {tally.answered[group]} answered, {tally.refused[group]} refused"
        for name, group in (("campaign", CAMPAIGN), ("honest accounts", HONEST))
    )
