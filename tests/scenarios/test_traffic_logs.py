"""What the writers write, the importers read back: the same exchanges, whichever log they went through."""

from pathlib import Path

import orjson
import pytest

from stillwatch.lab.traffic import CampaignPlan, Traffic, TrafficPlan, compose, load_corpus, write_litellm, write_openai
from stillwatch.lab.traffic.sources import parse_lines
from stillwatch.logs.importer import Lens
from stillwatch.logs.litellm import LiteLLM
from stillwatch.logs.openai import OpenAI


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    campaign = CampaignPlan(preset="tools", accounts=10, requests=5)
    return compose(TrafficPlan(seed=4, honest=40, campaigns=(campaign,), days=3), load_corpus())


@pytest.mark.parametrize(("write", "importer"), [(write_litellm, LiteLLM()), (write_openai, OpenAI())])
def test_an_importer_reads_back_every_field(traffic: Traffic, tmp_path: Path, write: object, importer: object) -> None:
    path = tmp_path / "log.jsonl.zst"
    write(traffic.exchanges, path)  # type: ignore[operator]
    rows = parse_lines(path.read_bytes())
    assert len(rows) == len(traffic.exchanges)
    for row, sent in zip(rows, traffic.exchanges, strict=True):
        assert importer.claims(row)  # type: ignore[attr-defined]
        read = importer.read(row, Lens())  # type: ignore[attr-defined]
        for name in ("account", "organisation", "plan", "key_id", "address", "agent", "tls", "payment", "session"):
            assert getattr(read, name) == getattr(sent, name), name
        for name in ("model", "endpoint", "messages", "tools", "answer", "finish", "status"):
            assert getattr(read, name) == getattr(sent, name), name
        assert dict(read.parameters) == dict(sent.parameters)
        assert read.time == pytest.approx(sent.time, abs=2e-3)
        assert read.latency == pytest.approx(sent.latency, abs=2e-3)


def test_packed_and_plain_logs_hold_the_same_rows(traffic: Traffic, tmp_path: Path) -> None:
    import gzip

    for ending in ("jsonl", "jsonl.gz", "jsonl.zst"):
        write_openai(traffic.exchanges, tmp_path / f"log.{ending}")
    plain = (tmp_path / "log.jsonl").read_bytes()
    assert gzip.decompress((tmp_path / "log.jsonl.gz").read_bytes()) == plain
    assert parse_lines((tmp_path / "log.jsonl.zst").read_bytes()) == [orjson.loads(line) for line in plain.splitlines()]
