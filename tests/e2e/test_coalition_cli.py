"""The page on coalitions, command by command: a hub process and two members."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from stillwatch.app.control import open_control
from stillwatch.cli import main
from stillwatch.terms.account import Decision

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "coalition.md"
PROGRAM = [sys.executable, "-c", "from stillwatch.cli import main; main(prog_name='stillwatch')"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "120"}
ACCOUNTS = tuple(f"acct-{n}" for n in range(25))


def run(folder: Path, *words: str, code: int = 0) -> str:
    """Run a command in this process, which saves a second of imports; the hub has one of its own."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(main, [*words], prog_name="stillwatch", env={"COLUMNS": "120"})
    assert done.exit_code == code, f"{words}: {done.exit_code}\n{done.output}{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def on_page(*having: str) -> list[list[str]]:
    """Return the words of every command on the page that has all of these."""
    lines = re.findall(r"^\$ stillwatch (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(line) for line in lines if all(word in line for word in having)]


@contextmanager
def hub_process(folder: Path) -> Iterator[int]:
    words = ["coalition", "serve", "--state", "hub", "--port", "0", "--log-json"]
    process = subprocess.Popen([*PROGRAM, *words], cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        told = json.loads(process.stderr.readline())
        assert told["message"] == "serving", told
        yield int(told["port"])
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=30)[1]
    assert process.returncode == 0 and json.loads(rest.splitlines()[-1])["message"] == "stopped", rest


def confirmed(folder: Path) -> None:
    """Confirm a campaign as `decide confirm` does, on a verdict."""
    now = time.time()
    with open_control(folder / ".stillwatch") as book:
        book.add_decision(Decision(
            subject="c-12", kind="campaign", accounts=ACCOUNTS, verb="confirm", by="ann", reason="one sweep", at=now,
            expires=now + 86_400.0, receipt="0" * 32,
        ))  # fmt: skip


def member(folder: Path, admitted: dict[str, Any], port: int) -> Path:
    folder.mkdir()
    (folder / "coalition.key").write_text(admitted["key"] + "\n")
    (folder / "member.toml").write_text(
        f'[coalition]\nurl = "http://127.0.0.1:{port}/taxii2/"\norganisation = "{admitted["identity"]}"\n'
        'key_file = "coalition.key"\n'
    )
    return folder


def test_the_page_on_coalitions_works_from_a_confirmed_campaign_to_its_withdrawal(tmp_path: Path) -> None:
    adds = on_page("members add")
    admitted = [json.loads(run(tmp_path, *words, "--json")) for words in adds]
    with hub_process(tmp_path) as port:
        acme, bolt = (member(tmp_path / words[3], one, port) for words, one in zip(adds, admitted, strict=True))
        confirmed(acme)
        rows = [
            {"account": a, "kind": "payment", "epoch": "684-9f3a", "token": f"{n:032x}"} for n, a in enumerate(ACCOUNTS)
        ]
        rows += [{"account": a, "kind": "network", "value": "AS64500"} for a in ACCOUNTS]
        (acme / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
        said = [run(acme, *words) for words in on_page("coalition publish")]
        assert said[0].startswith("Would tell") and said[1].startswith("Told")
        pull = next(words for words in on_page("coalition pull") if "--follow" not in words)
        assert "In force: 1" in run(bolt, *pull)
        (listed,) = on_page("coalition list")
        (warning,) = json.loads(run(bolt, *listed, "--json"))
        assert warning["state"] == "in force" and warning["organisation"] == "Acme AI"
        common = ["--by", "bob", "--config", "member.toml"]
        run(bolt, "coalition", "sight", warning["id"], "--count", "37", *common)
        untold = run(bolt, "coalition", "dispute", warning["id"], "--reason", "They pay $5", *common, code=2)
        assert "coalition-law.md" in untold and "$5" not in untold
        said_so = json.loads(run(
            bolt, "coalition", "dispute", warning["id"], "--reason", "A school.", "--case", "c-7", "--json",
            *common))  # fmt: skip
        assert "disputed 1" in run(acme, *pull)
        run(bolt, "coalition", "revoke", said_so[0]["id"], *common)
        assert "In force: 1" in run(acme, *pull)
        run(acme, "coalition", "revoke", warning["campaign"], "--by", "ann", "--config", "member.toml")
        assert "In force: 0; revoked 1" in run(bolt, *pull)
        assert json.loads(run(bolt, *listed, "--json"))[0]["state"] == "withdrawn"
        own = json.loads(run(acme, "coalition", "list", "--own", "--config", "member.toml", "--json"))
        assert {row["state"] for row in own} == {"withdrawn"} and {row["subject"] for row in own} == {"c-12"}
        run(tmp_path, "coalition", "members", "revoke", "acme", "--state", "hub")
        assert "401" in run(acme, *pull, code=2)


def test_a_hub_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('[hub]\ncertificate = "none.pem"\ncertificate_key = "none.key"\nport = 0\n')
    assert "cannot be used" in run(tmp_path, "coalition", "serve", "--config", "hub.toml", code=2)
    assert "address 192.0.2.1" in run(tmp_path, "coalition", "serve", "--host", "192.0.2.1", "--port", "1", code=2)
    assert "no hub yet" in run(tmp_path, "coalition", "members", "list", "--state", "nowhere", code=2)
    assert "url is empty" in run(tmp_path, "coalition", "pull", code=2)
