"""Whatever dies, callers are answered, and events are kept once or counted as lost."""

import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.canaries import MARK, leaks
from tests.e2e.command_line import Place, pair, write_rows
from tests.e2e.live_gateway import LiveGateway, alive, asking, until
from tests.fake_upstream import FakeUpstream

CALLERS = 3


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeUpstream]:
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
def gateway(tmp_path: Path, fake: FakeUpstream) -> Iterator[LiveGateway]:
    made = LiveGateway(Place(tmp_path), fake.url)
    yield made
    made.kill()


def test_sigterm_lets_answers_end_and_loses_nothing(gateway: LiveGateway) -> None:
    gateway.start()
    statuses: list[int] = []
    slow = threading.Thread(
        target=lambda: statuses.append(gateway.ask("slow", model="toy-chat?delay=1.5", stream=True))
    )
    slow.start()
    with asking(gateway, CALLERS) as quick:
        time.sleep(1.0)
        begun = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - begun < 15.0
    slow.join()
    assert statuses == [200], "an answer under way was cut off"
    assert gateway.events() == quick.count(200) + 1
    assert set(quick) <= {200, 0, 503}
    assert list(gateway.folder.spool.iterdir()) == []
    assert gateway.watcher()["lost"] == gateway.watcher()["dropped"] == 0


def test_a_killed_worker_is_replaced_and_its_loss_is_counted(gateway: LiveGateway) -> None:
    gateway.start(workers=2)
    with asking(gateway, CALLERS) as statuses:
        time.sleep(0.5)
        victim = gateway.children()["worker-0"]
        os.kill(victim, signal.SIGKILL)
        time.sleep(0.3)
        before = len(statuses)
        until(lambda: gateway.children().get("worker-0", victim) != victim, what="a new worker")
        assert statuses[before:].count(200) > 0, "the other worker should have gone on answering"
    assert gateway.get("/healthz", gateway.admin)[0] == 200
    assert gateway.stop() == 0
    answered, kept, lost = statuses.count(200), gateway.events(), gateway.watcher()["lost"]
    assert answered - CALLERS <= kept + lost <= len(statuses)
    assert lost <= 40, "more than a write interval was lost"
    assert statuses.count(0) <= 3 * CALLERS


def test_a_killed_watcher_loses_nothing_doubles_nothing_and_costs_no_answer(gateway: LiveGateway) -> None:
    gateway.start(workers=1)
    with asking(gateway, CALLERS) as statuses:
        for _ in range(2):
            until(lambda: gateway.watcher()["exchanges"] > 0)
            time.sleep(0.4)
            victim = gateway.watcher()["pid"]
            os.kill(victim, signal.SIGKILL)
            until(lambda: gateway.watcher()["pid"] != victim, seconds=120.0, what="a new watcher")  # noqa: B023
    assert set(statuses) == {200}
    assert gateway.stop() == 0
    assert gateway.events() == len(statuses)
    assert gateway.watcher()["lost"] == 0


def test_after_a_killed_supervisor_the_rest_ends_by_itself_and_a_new_one_goes_on(gateway: LiveGateway) -> None:
    gateway.start(workers=1)
    assert gateway.process is not None
    statuses = [gateway.ask(f"question {n}") for n in range(40)]
    left = gateway.children()
    gateway.process.kill()
    gateway.process.wait(10)
    gateway.start(workers=1)
    until(lambda: not any(alive(pid) for pid in left.values()), what="the end of what was left")
    until(lambda: gateway.get("/readyz")[0] == 200, what="readiness of the new one")
    statuses += [gateway.ask(f"later question {n}") for n in range(10)]
    assert gateway.stop() == 0
    assert set(statuses) == {200}
    assert gateway.events() + gateway.watcher()["lost"] == 50
    assert gateway.watcher()["lost"] == 0, "workers that lose their supervisor end in order"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="this system limits no other process")
def test_a_disk_that_takes_nothing_costs_no_answer_and_recovers(gateway: LiveGateway) -> None:
    gateway.start(workers=1)
    victim = gateway.children()["worker-0"]
    before = resource.prlimit(victim, resource.RLIMIT_FSIZE)
    resource.prlimit(victim, resource.RLIMIT_FSIZE, (100, before[1]))
    statuses = [gateway.ask(f"question {n}") for n in range(30)]
    until(lambda: os.listdir(gateway.folder.spool))
    assert set(statuses) == {200}, "a full disk must not reach a caller"
    resource.prlimit(victim, resource.RLIMIT_FSIZE, before)
    statuses += [gateway.ask(f"later question {n}") for n in range(10)]
    assert gateway.stop() == 0
    kept, watcher = gateway.events(), gateway.watcher()
    assert kept + watcher["dropped"] + watcher["lost"] == 40
    assert kept >= 10


def test_no_word_of_the_traffic_is_on_disk_or_in_what_it_says(gateway: LiveGateway) -> None:
    gateway.start("--log-json")
    for number in range(20):
        assert gateway.ask(f"{MARK}{number} asks", user=f"{MARK}user", stream=number % 2 == 0) == 200
        if number == 10:
            assert leaks(gateway.place.folder, apart_from=Path("/nowhere")) == []
    assert gateway.ask(f"{MARK} goes wrong", model="toy-chat?status=500") >= 500
    os.kill(gateway.children()["worker-0"], signal.SIGKILL)
    os.kill(gateway.watcher()["pid"], signal.SIGKILL)
    assert leaks(gateway.place.folder, apart_from=Path("/nowhere")) == []
    metrics = gateway.metrics()
    assert metrics["stillwatch_spool_answered"] >= 0
    assert gateway.stop() == 0
    assert leaks(gateway.place.folder, apart_from=Path("/nowhere")) == []
    assert MARK not in "".join(gateway.said).lower()
    assert gateway.key not in "".join(gateway.said)
    assert gateway.events() + gateway.watcher()["lost"] >= 20


def test_metrics_and_health_say_how_it_is_until_ctrl_c_ends_it_in_order(gateway: LiveGateway) -> None:
    gateway.start(workers=1)
    for number in range(5):
        gateway.ask(f"question {number}")
    until(lambda: gateway.metrics().get("stillwatch_watcher_events") == 5.0, what="five events")
    found = gateway.metrics()
    assert found["stillwatch_gateway_events_recorded_total"] == found["stillwatch_spool_answered"] == 5.0
    assert found["stillwatch_spool_dropped"] == found["stillwatch_watcher_lost"] == 0.0
    assert gateway.get("/readyz", gateway.admin)[0] == gateway.get("/healthz", gateway.admin)[0] == 200
    assert gateway.get("/metrics")[0] == 404, "callers must not see metrics"
    assert gateway.process is not None
    for pid in (*gateway.children().values(), gateway.process.pid):  # as a terminal sends Ctrl-C, to all at once
        os.kill(pid, signal.SIGINT)
    assert gateway.process.wait(30) == 0
    assert gateway.events() == 5
    assert "Traceback" not in "".join(gateway.said)


def test_scan_and_explain_work_while_it_runs(gateway: LiveGateway) -> None:
    with (gateway.place.folder / "settings.toml").open("a") as file:
        file.write("settle_seconds = 0.2\ntime_lapse = 240.0\n")
    gateway.start(workers=1)
    for number in range(8):
        assert gateway.ask(f"question {number}") == 200
    until(lambda: gateway.watcher().get("generation", -1) >= 0, what="a judgement")
    until(lambda: gateway.watcher()["verdict_age_seconds"] < 240.0 * 20, what="fresh verdicts")
    seen = gateway.place.run("explain", "acme", "--out", ".stillwatch/live/report")
    assert seen.returncode == 0 and b"acme" in seen.stdout and b"8 requests" in seen.stdout, seen.stdout
    write_rows(gateway.place.folder / "log.jsonl", [pair("a", n) for n in range(5)])
    assert gateway.place.run("scan", "log.jsonl").returncode == 0
    assert gateway.ask("still there?") == 200
    assert gateway.stop() == 0
    assert gateway.watcher()["judge_failures"] == 0


def test_one_state_folder_takes_one_gateway_and_the_first_goes_on(gateway: LiveGateway) -> None:
    gateway.start(workers=1)
    second = gateway.place.run("serve", "--upstream", gateway.upstream, "--port", "0", "--admin-port", "0")
    assert second.returncode == 2
    assert gateway.process is not None
    assert f"process {gateway.process.pid} uses it".encode() in second.stderr
    assert gateway.ask("still there?") == 200
    assert gateway.stop() == 0
    assert gateway.events() == 1


def test_signals_in_one_breath_are_one_and_a_later_one_ends_it_at_once(gateway: LiveGateway) -> None:
    gateway.start(workers=1)
    assert gateway.process is not None
    slow = threading.Thread(target=gateway.ask, args=("slow",), kwargs={"model": "toy-chat?delay=8", "stream": True})
    slow.start()
    time.sleep(0.5)
    for pause in (0.2, 1.3):
        gateway.process.send_signal(signal.SIGTERM)
        time.sleep(pause)
    assert gateway.process.poll() is None, "two signals in one breath cut an answer off"
    begun = time.monotonic()
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(10) == 0
    assert time.monotonic() - begun < 4.0
    slow.join()
    until(lambda: "second signal: ending at once" in "".join(gateway.said), what="the word on it")
