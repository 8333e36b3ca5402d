"""What a process and its children cost, read from the Linux kernel: processor time, memory, sockets.

In: process ids. Out: seconds, bytes, counts. Processor time is the process's own clock: user plus system time of all
its threads, ended ones too; the same that /proc/PID/stat rounds to ticks of 10 ms.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

SCHEDULED = 2
"""Kind of processor clock that counts all the time the process was on a core (Linux, `CPUCLOCK_SCHED`)."""
AHEAD = -10
"""Priority of everything measured, the same for every proxy, so that other jobs of the machine add less to latency."""


def parent(stat: str) -> int:
    """Return the parent's id from a line of /proc/PID/stat; the command's name may hold brackets and spaces.

    >>> parent("7 (a b) c) S 3 7 7 0 -1")
    3
    """
    return int(stat.rpartition(")")[2].split()[1])


def family(root: int) -> list[int]:
    """Return a process and all that descend from it, living ones."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = parent((entry / "stat").read_text())
    found = [root]
    for pid in found:
        found += [child for child, above in parents.items() if above == pid]
    return found


def seconds(pids: Iterable[int]) -> float:
    """Return the processor seconds that these processes have used so far."""
    return sum(time.clock_gettime((~pid << 3) | SCHEDULED) for pid in pids)


def resident(pids: Iterable[int]) -> int:
    """Return the bytes of memory that these processes hold; pages they share count once for each."""
    return sum(
        int(line.split()[1]) * 1024
        for pid in pids
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    )


def sockets(pids: Iterable[int]) -> int:
    """Return how many sockets these processes have open."""
    count = 0
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                count += os.readlink(entry).startswith("socket:")
    return count


@contextlib.contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """Let what is started inside run on these cores only, ahead of other jobs; what is not allowed is left out."""
    before, usual = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cores)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, AHEAD)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, before)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, usual)


def ahead() -> bool:
    """Return whether processes may be put ahead of other jobs, which takes the rights of root."""
    with pinned(os.sched_getaffinity(0)):
        return os.getpriority(os.PRIO_PROCESS, 0) == AHEAD


def move(pid: int, cores: set[int]) -> None:
    """Let every thread of a process run on these cores only; nothing changes where that is not allowed."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            os.sched_setaffinity(int(thread.name), cores)


def split_cores() -> tuple[set[int], set[int]]:
    """Return the cores of the proxies (one) and those of upstream and client (the others; the same one if alone)."""
    allowed = sorted(os.sched_getaffinity(0))
    return {allowed[0]}, set(allowed[1:]) or {allowed[0]}
