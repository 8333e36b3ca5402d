"""An examination from the command line: planned and signed, run, gone on with, and built into a dossier."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from stillwatch.app.markring import load_ring
from stillwatch.cli.main import main
from stillwatch.treatments.marks.green import green_bits
from stillwatch.treatments.marks.prf import ContextTable, seeds
from stillwatch.treatments.marks.tiers import keys_for

VOCAB = 256
PLAN = """
question = "Was the model of these texts taught on our answers?"
alpha = "1e-6"

[suspect]
kind = "texts"
where = "{texts}"

[[tests]]
id = "t1"
exam = "radioactivity"
samples = 100000
secrets = "mark-key"
groups = ["provider"]

[[tests]]
id = "t2"
exam = "withheld-sample"
samples = 100
"""


def stillwatch(*words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def texts(path: Path, state: Path, *, delta: float) -> None:
    """Write texts in token ids, drawn with a green mark under the provider's key of a state folder."""
    epoch = load_ring(state).current
    digests = ContextTable.of(epoch, VOCAB).digests(np.arange(VOCAB))
    key = keys_for(epoch).provider
    seed = seeds(digests, np.array([key.a], np.uint64), np.array([key.b], np.uint64))
    green = green_bits(seed[:, None], np.arange(VOCAB)[None]).astype(float)
    chance = np.exp(delta * green).cumsum(axis=1)
    rng = np.random.default_rng(5)
    rows = []
    for _ in range(60):
        said = [int(rng.integers(VOCAB))]
        for _ in range(40):
            said.append(int(np.searchsorted(chance[said[-1]], rng.random() * chance[said[-1], -1])))
        rows.append(json.dumps({"tokens": said}))
    path.write_text("\n".join(rows) + "\n", "utf-8")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "s.toml").write_text(
        f"[mark]\nvocabulary = {VOCAB}\nprovider_share = 1.0\ncampaign_share = 0.0\naccount_share = 0.0\n", "utf-8"
    )
    folder = tmp_path / "state"
    stillwatch("watermark", "keys", "new", "--state", folder, "--config", tmp_path / "s.toml")
    stillwatch("ledger", "init", "--state", folder)
    return folder


def planned(tmp_path: Path, state: Path, *, delta: float) -> Path:
    texts(tmp_path / "texts.jsonl", state, delta=delta)
    (tmp_path / "plan.toml").write_text(PLAN.format(texts=tmp_path / "texts.jsonl"), "utf-8")
    stillwatch("examine", "plan", tmp_path / "plan.toml", "--authority", "contract", "--reference", "clause 7",
               "--by", "ada", "--out", tmp_path / "exam", "--state", state)  # fmt: skip
    return tmp_path / "exam"


def test_a_marked_suspect_is_found_and_the_dossier_of_it_verifies(tmp_path: Path, state: Path) -> None:
    folder = planned(tmp_path, state, delta=2.0)
    said = stillwatch("examine", "run", folder, "--by", "ada", "--state", state, "--quiet", code=1)
    assert "mark only" in said.output and "evidence vault" in said.output
    again = stillwatch("examine", "run", folder, "--by", "ada", "--state", state, "--quiet", "--json", code=1)
    read = json.loads(again.output)
    assert read["conclusion"]["verdict"] == "shown" and len(read["findings"]) == 2
    assert read["findings"][1]["skipped"].startswith("not run")
    stillwatch("dossier", "build", folder, "--out", tmp_path / "dossier", "--by", "ada", "--state", state, code=1)
    assert "Everything holds" in stillwatch("dossier", "verify", tmp_path / "dossier").output


def test_an_unmarked_suspect_is_not_accused(tmp_path: Path, state: Path) -> None:
    folder = planned(tmp_path, state, delta=0.0)
    said = stillwatch("examine", "run", folder, "--by", "ada", "--state", state, "--quiet")
    assert "not shown" in said.output


def test_nothing_is_planned_without_authority_and_a_changed_plan_is_refused(tmp_path: Path, state: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN.format(texts="x"), "utf-8")
    words = ["examine", "plan", tmp_path / "plan.toml", "--by", "ada", "--out", tmp_path / "e", "--state", state]
    assert "--authority" in stillwatch(*words, code=2).output
    assert "king" in stillwatch(*words, "--authority", "king", "--reference", "x", code=2).output
    folder = planned(tmp_path, state, delta=0.0)
    (folder / "plan.toml").write_text((folder / "plan.toml").read_text("utf-8") + "\n", "utf-8")
    said = stillwatch("examine", "run", folder, "--by", "ada", "--state", state, code=2)
    assert "not the one that was signed" in said.output
