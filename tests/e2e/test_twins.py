"""Withheld samples from the gateway to the dossier: a student of what was served is told from one that was not."""

import http.client
import json
import re
import time
from collections.abc import Iterator

import pytest

from stillwatch.app.control import open_control
from stillwatch.terms.account import Decision
from tests.e2e.command_line import Place
from tests.e2e.live_gateway import SETTINGS, LiveGateway
from tests.e2e.test_vault import RULE, holding
from tests.twin_rig import Student, Teacher

PLAN = """
question = "Was the suspect taught on our answers?"
alpha = "1e-6"
tokenizer = ""

[suspect]
kind = "endpoint"
where = "{url}/v1"
model = "suspect"
wire = "completions"
logprobs = {logprobs}

[[tests]]
id = "t1"
exam = "withheld-sample"
samples = 500
secrets = "withheld"
[tests.parameters]
template = "{{prompt}} : "
"""
ASKED = 60


@pytest.fixture(scope="module")
def teacher() -> Iterator[Teacher]:
    with Teacher(seed=20_261_130) as made:
        yield made


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return another machine, where the private key is."""
    made = Place(tmp_path_factory.mktemp("office"))
    made.run_here("vault", "keygen", "--out", "forensics.key")
    return made


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, teacher: Teacher, office: Place) -> tuple[Place, list[str]]:
    """Return a gateway's folder after 60 requests of a confirmed account, and what that account got."""
    gateway = LiveGateway(Place(tmp_path_factory.mktemp("served") / "gateway"), teacher.url)
    place = gateway.place
    public = re.findall(r"swv1-\S+", office.run_here("vault", "keygen", "--out", "second.key").stdout)[0]
    (office.folder / "second.key").replace(office.folder / "forensics.key")
    (place.folder / "settings.toml").write_text(
        SETTINGS + RULE + f'[vault]\npublic_key = "{public}"\ntwins_confirmed = true\n'
    )
    assert place.run_here("ledger", "init").exit_code == 0
    now = time.time()
    with open_control(gateway.folder.state) as book:
        book.add_decision(Decision(subject="acme", kind="account", accounts=("acme",), verb="confirm", by="ann",
                                   reason="r", at=now, expires=now + 9_000.0, receipt="0" * 32))  # fmt: skip
    try:
        gateway.start(workers=1)
        got = [said(gateway, f"question {n}", stream=n % 3 == 0) for n in range(ASKED)]
        assert gateway.stop() == 0
    finally:
        gateway.kill()
    return place, got


def said(gateway: LiveGateway, text: str, *, stream: bool) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "stream": stream}
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
    raw = connection.getresponse().read().decode()
    connection.close()
    return "".join(re.findall(r'"content": "([^"]*)"', raw))


def examine(place: Place, office: Place, url: str, name: str, *, logprobs: str = "true", key: bool = True) -> list[str]:
    (place.folder / f"{name}.toml").write_text(PLAN.format(url=url, logprobs=logprobs))
    made = place.run_here("examine", "plan", f"{name}.toml", "--authority", "contract", "--reference", "clause 7",
                          "--by", "ada", "--out", name)  # fmt: skip
    assert made.exit_code == 0, made.output
    words = ["examine", "run", name, "--by", "ada", "--quiet"]
    return [*words, "--vault-key", str(office.folder / "forensics.key")] if key else words


def test_a_student_of_what_was_served_is_found_and_others_are_not(
    served: tuple[Place, list[str]], office: Place, teacher: Teacher
) -> None:
    place, got = served
    assert len(got) == ASKED and all(len(text.split()) == 40 for text in got)
    listed = json.loads(place.run_here("vault", "list", "--json").stdout)
    assert {one["why"] for one in listed} == {"twin"} and ASKED - 5 <= len(listed) <= ASKED
    assert all(len(one["pair"]) == 64 for one in listed)
    assert holding(place.folder, got[0].encode()) == [], "sealed, and nowhere else"

    with Student(got * 2 + [teacher.text() for _ in range(200)]) as taught:
        ran = place.run_here(*examine(place, office, taught.url, "taught"))
        assert ran.exit_code == 1, ran.output
        assert taught.asked == 2 * len(listed)
        again = place.run_here(*examine_again("taught", office), "--json")
        read = json.loads(again.stdout)["findings"][0]
        assert taught.asked == 2 * len(listed), "nothing is asked twice"
    assert float.fromhex(read["log_p"]) < -13.9 and read["observed"]["committed"] == len(listed)
    assert (
        read["observed"]["lost"] == 0 and read["access"] == "logprobs" and "more pairs" in read["power"] + " more pairs"
    )
    assert holding(place.folder / "taught", got[0].encode()) == [], "no answer leaves the vault"
    built = place.run_here("dossier", "build", "taught", "--out", "dossier", "--by", "ada")
    assert built.exit_code == 1, built.output
    assert "Everything holds" in place.run_here("dossier", "verify", "dossier").output

    unlike = [teacher.text() for _ in range(500)]
    with Student(unlike) as innocent:
        ran = place.run_here(*examine(place, office, innocent.url, "innocent"))
        assert ran.exit_code == 0 and "not shown" in ran.output
    reads = json.loads(place.run_here("vault", "log", "--json").stdout)["entries"]
    assert [(one["kind"], one["count"]) for one in reads[:2]] == [("read", len(listed)), ("ended", len(listed))]
    assert "examination" in reads[0]["reason"]


def examine_again(name: str, office: Place) -> list[str]:
    return ["examine", "run", name, "--by", "ada", "--quiet", "--vault-key", str(office.folder / "forensics.key")]


def test_without_the_key_or_without_logprobs_it_is_skipped_and_says_what_it_takes(
    served: tuple[Place, list[str]], office: Place
) -> None:
    place, got = served
    with Student(got) as student:
        nokey = place.run_here(*examine(place, office, student.url, "nokey", key=False))
        nologs = place.run_here(*examine(place, office, student.url, "nologs", logprobs="false"))
        assert student.asked == 0
    for ran in (nokey, nologs):
        assert ran.exit_code == 3 and "evidence vault" in ran.output and "--vault-key" in ran.output, ran.output


def test_twins_are_no_events_and_status_and_privacy_know_of_them(served: tuple[Place, list[str]]) -> None:
    place, _ = served
    assert json.loads((place.folder / ".stillwatch/run/watcher.json").read_bytes())["events"] == ASKED
    assert "twin answers" in place.run_here("status").output
    listed = place.run_here("ledger", "list").output
    assert listed.count("commit.withheld") >= 2
    assert "whole" in place.run_here("ledger", "verify").output
