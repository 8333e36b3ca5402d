"""LiteLLM's proxy, in an environment of its own that this benchmark makes once, outside the repository.

In: an upstream. Out: a running proxy, or the reason why there is none: then its row is left out, and says so.
It gets what its own documentation advises for production: one worker a core, log level ERROR, no database, no verbose
logging; and only what it needs to do the same job: one master key, three models.
"""

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.gateway import processor, wire
from bench.gateway.proxies import Proxy, free_port, running, until_answers

VERSION: Final = "1.106.2"
"""Named, not newest: releases of this package were taken over before, and figures need a version."""
INSTALL_SECONDS: Final = 900.0


def environment() -> Path:
    """Return the folder of LiteLLM's own environment."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "stillwatch-bench" / f"litellm-{VERSION}"


def install() -> str:
    """Make the environment unless it is there; return why it cannot be had, or nothing."""
    folder = environment()
    if (folder / "bin" / "litellm").exists():
        return ""
    print(f"installing LiteLLM {VERSION} into {folder.name}, once ...", file=sys.stderr)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-qq"]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True, text=True)
        subprocess.run(
            [*pip, f"litellm[proxy]=={VERSION}"], check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"pip took more than {INSTALL_SECONDS:.0f} s"
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:]
        return f"litellm[proxy]=={VERSION} could not be installed: {last[0] if last else 'no message'}"
    return ""


def settings(upstream_port: int) -> str:
    """Return its settings file, as YAML (JSON is YAML)."""
    models = ",".join(
        f'{{"model_name":"{model}","litellm_params":{{"model":"openai/{model}",'
        f'"api_base":"http://127.0.0.1:{upstream_port}/v1","api_key":"sk-upstream"}}}}'
        for model in wire.MODELS
    )
    return (
        f'{{"model_list":[{models}],"general_settings":{{"master_key":"os.environ/LITELLM_MASTER_KEY"}},'
        '"litellm_settings":{"set_verbose":false,"json_logs":false}}'
    )


@contextlib.contextmanager
def serving(upstream_port: int) -> Iterator[Proxy]:
    """Run the proxy with one worker."""
    key, port = "sk-" + secrets.token_hex(24), free_port()
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as name:
        config, keys = Path(name) / "config.yaml", Path(name) / "keys"
        config.write_text(settings(upstream_port), encoding="utf-8")
        keys.write_text(key + "\n", encoding="utf-8")
        surroundings = {
            "LITELLM_MASTER_KEY": key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
            "PYTHONPATH": "",
        }
        command = [
            str(environment() / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1",
            "--port", str(port), "--num_workers", "1", "--telemetry", "False",
        ]  # fmt: skip
        with running(command, processor.split_cores()[0], surroundings) as process:
            until_answers(process, f"http://127.0.0.1:{port}/health/readiness")
            yield Proxy(name=f"LiteLLM {VERSION}", port=port, process=process, keys=str(keys), sampling=0.05)
