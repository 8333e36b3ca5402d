"""A teacher in a file, served by a process of its own on loopback: what stands in for a model somebody already has.

In: a model file that `save` wrote. Out: the same wire as `labelteacher`, from a child that the lab starts and ends. The
child says its address on its first line and ends when its standard input closes, so that it outlives no parent.
Cost: half a second to start. Left to `lab.teacher`: the language model that is served the same way.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import numpy as np

from stillwatch.lab.learn.softmax import Softmax
from stillwatch.lab.loopback import listening
from stillwatch.lab.tasks.labelteacher import LabelTeacher
from stillwatch.terms.errors import StillwatchError

START_SECONDS: Final = 60.0


def save(model: Softmax, path: Path) -> None:
    """Write a model to a file; numbers as they are, nothing that could run."""
    np.savez_compressed(path, labels=np.array(model.labels), weights=model.weights, bias=model.bias)


def load(path: Path) -> Softmax:
    """Return the model in a file.

    Raises:
        StillwatchError: it is none.
    """
    try:
        with np.load(path, allow_pickle=False) as parts:
            return Softmax(tuple(parts["labels"].tolist()), parts["weights"], parts["bias"])
    except (OSError, KeyError, ValueError) as problem:
        raise StillwatchError(f"model file {path}: {type(problem).__name__}; must be one that the lab wrote.") from None


@asynccontextmanager
async def serving_process(model: Softmax, seed: int) -> AsyncIterator[str]:
    """Serve a model from a file in a process of its own, and give its address.

    Raises:
        StillwatchError: the process did not start.
    """
    with tempfile.TemporaryDirectory(prefix="stillwatch-lab-") as folder:
        path = Path(folder) / "teacher.npz"
        save(model, path)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stillwatch.lab.tasks.modelfile", str(path), str(seed),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            assert child.stdout is not None and child.stdin is not None
            said = (await asyncio.wait_for(child.stdout.readline(), START_SECONDS)).decode().strip()
            if not said.startswith("http://127.0.0.1:"):
                raise StillwatchError("the lab's teacher process ended before it listened.")
            yield said
        finally:
            if child.stdin is not None:
                child.stdin.close()
            await child.wait()


async def _serve(path: Path, seed: int) -> None:
    """Run in the child: load, listen, say the address, wait for the end of standard input."""
    async with listening(LabelTeacher(load(path), seed).respond) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
