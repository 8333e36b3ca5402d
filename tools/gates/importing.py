"""Rules 5 and 6: importing does nothing, and needs no torch.

In: the package. Out: what `probe` saw, from a process of its own.
Cost: about two seconds, most of it other people's modules.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tools.gates.rule import Outcome
from tools.gates.tree import ROOT, modules


def check(root: Path) -> Outcome:
    """Import every module under watch."""
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-B", "-m", "tools.gates.probe", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        return Outcome(findings=(f"the probe itself failed:\n{done.stderr}",))
    findings = json.loads(done.stdout.splitlines()[-1])
    return Outcome(findings=tuple(findings), note=f"{len(modules(root))} modules")
