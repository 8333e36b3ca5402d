"""Dossiers, scorecards and controls in the console: they say what was computed, how far it was checked, and no more."""

import html
import json
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from stillwatch.app import consoledossiers, consolescorecards
from stillwatch.app.dossiercheck import check_dossier
from stillwatch.app.dossierfiles import read_folder
from stillwatch.forensics.conclusion import Conclusion
from stillwatch.forensics.dossier import DossierFacts
from stillwatch.terms.canon import canonical, read_canonical
from tests.console_rig import Rig, rigged
from tests.proof_rig import built, examined, made_state

NAME = "suspect-7b"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A console with a dossier of its own and a scorecard, which no test changes."""
    with rigged(tmp_path_factory.mktemp("filled") / "state") as rig:
        rig.exhibit()
        yield rig


@pytest.fixture
def copied(filled: Rig, tmp_path: Path) -> Iterator[tuple[Rig, Path]]:
    """A console of its own over a copy of the dossier, which is then of another's ledger."""
    with rigged(tmp_path / "state", roles=("viewer",)) as rig:
        folder = tmp_path / "state" / "dossiers" / NAME
        shutil.copytree(filled.folder / "dossiers" / NAME, folder)
        yield rig, folder


def test_pages_without_exhibits_say_how_to_make_one(tmp_path: Path) -> None:
    with rigged(tmp_path, roles=("viewer",)) as rig:
        viewer = rig.signed_in("viewer")
        assert "stillwatch dossier build" in viewer.get("/dossiers")
        assert "stillwatch lab run quick" in viewer.get("/scorecards")


def test_a_dossier_is_listed_and_shown_with_findings_error_rate_and_how_to_check_it(filled: Rig) -> None:
    viewer = filled.signed_in("viewer")
    assert "Copying shown at error rate 1e-6" in viewer.get("/dossiers")
    page = viewer.get(f"/dossier?name={NAME}")
    made = filled.state.state / "dossiers" / NAME
    facts = read_canonical((made / "facts.json").read_bytes(), DossierFacts, "facts")
    assert facts.conclusion.words in page
    assert "1e-6 over 1 hypothesis (Holm)" in page and "32 canaries" in page
    assert "the key of this ledger" in page and "not computed again by this page" in page
    key = facts.ledger.fingerprint
    assert f"stillwatch dossier verify {made} --key {key}" in page
    assert check_dossier(made, key).problems == (), "the command that the page names holds"
    for limit in facts.limits:
        assert limit in html.unescape(page)


def test_pages_and_records_are_handed_out_as_files_and_materials_never(filled: Rig) -> None:
    viewer = filled.signed_in("viewer").client
    for file in ("dossier.html", "dossier.pdf", "VERIFY.txt", "findings.json"):
        answer = viewer.get(f"/dossier?name={NAME}&file={file}")
        assert answer.status_code == 200 and answer.content == (filled.folder / "dossiers" / NAME / file).read_bytes()
        assert answer.headers["content-disposition"] == f'attachment; filename="{NAME}-{file}"'
        assert answer.headers["content-security-policy"] == "sandbox"
        assert answer.headers["content-type"] == "application/octet-stream"
    for name, file in (
        (NAME, "materials/transcript/t1.jsonl"), (NAME, "materials/reveal/canaries.json"), (NAME, "../../master.key"),
        ("..", "master.key"), ("../dossiers/" + NAME, "facts.json"), ("x%00", "facts.json"), ("", "facts.json"),
    ):  # fmt: skip
        assert viewer.get(f"/dossier?name={name}&file={file}").status_code == 404, (name, file)


def test_another_makers_dossier_is_said_to_be_so_and_a_changed_one_is_broken(copied: tuple[Rig, Path]) -> None:
    rig, folder = copied
    viewer = rig.signed_in("viewer")
    page = viewer.get(f"/dossier?name={NAME}")
    assert ">holds<" in page.replace("\n", "") and "not the key of this ledger" in page and " --key " not in page
    (folder / "dossier.html").write_bytes((folder / "dossier.html").read_bytes() + b" ")
    assert "dossier.html: was altered" in viewer.get(f"/dossier?name={NAME}")


def test_a_dossier_that_claims_more_than_its_findings_come_to_shows_no_conclusion(copied: tuple[Rig, Path]) -> None:
    rig, folder = copied
    facts = read_canonical((folder / "facts.json").read_bytes(), DossierFacts, "facts")
    claimed = {**json.loads(canonical(facts))}
    claimed["conclusion"]["words"] = "Copying is proven beyond any doubt."
    claimed["conclusion"]["roots"] = ["canaries", "marks"]
    (folder / "facts.json").write_bytes(canonical(claimed))
    assert isinstance(facts.conclusion, Conclusion)
    viewer = rig.signed_in("viewer")
    for path in ("/dossiers", f"/dossier?name={NAME}"):
        page = viewer.get(path)
        assert "beyond any doubt" not in page and "says another conclusion than its own findings come to" in page


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"{}", b"\xff"])
def test_a_dossier_that_cannot_be_read_is_named_and_the_list_still_comes(
    copied: tuple[Rig, Path], content: bytes
) -> None:
    rig, folder = copied
    (folder / "facts.json").write_bytes(content)
    (folder.parent / "linked").symlink_to(folder)
    (folder.parent / "notes").mkdir()
    viewer = rig.signed_in("viewer")
    page = viewer.get("/dossiers")
    assert "Cannot be read" in page and "2 entries of the folder are no dossiers" in page
    assert "It cannot be shown" in viewer.get(f"/dossier?name={NAME}")
    viewer.get("/dossier?name=linked", 404)


def test_a_dossier_too_large_for_a_page_is_not_said_to_hold(
    copied: tuple[Rig, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, folder = copied
    monkeypatch.setattr(consoledossiers, "LARGEST_SEALED", 1_000)
    page = rig.signed_in("viewer").get(f"/dossier?name={NAME}")
    assert "not checked here: it has more than" in page and ">holds<" not in page
    assert len(read_folder(folder)) > 10


def test_a_suspects_name_is_a_name_whatever_it_spells(tmp_path: Path) -> None:
    from dataclasses import replace

    from tests.proof_rig import planned

    name = "<script>alert(1)</script>"
    protocol = planned()
    protocol = replace(protocol, suspect=replace(protocol.suspect, name=name))
    made_state(tmp_path / "other")
    examined(tmp_path / "other", tmp_path / "exam", protocol=protocol)
    with rigged(tmp_path / "state", roles=("viewer",)) as rig:
        built(tmp_path / "other", tmp_path / "exam", tmp_path / "state" / "dossiers" / "d1")
        viewer = rig.signed_in("viewer")
        for path in ("/dossiers", "/dossier?name=d1"):
            assert name not in viewer.get(path) and "&lt;script&gt;alert(1)" in viewer.get(path)


def test_a_scorecard_shows_what_was_kept_with_its_interval_and_what_honest_users_lost(filled: Rig) -> None:
    viewer = filled.signed_in("viewer")
    assert "of the lead is kept" in viewer.get("/scorecards")
    line = filled.console.views.scorecards().items[0]
    assert (line.plan, line.name, line.problem) == ("standard", "standard", "")
    found = filled.console.views.scorecard(line.id)
    assert found is not None and found.costs and found.assumptions
    page = viewer.get(f"/scorecard?name={line.id}")
    row = found.items[0]
    assert row.retained is not None and row.retained.low <= row.retained.value <= row.retained.high
    assert f"{100 * row.retained.value:.0f} % ({100 * row.retained.low:.0f} to {100 * row.retained.high:.0f})" in page
    assert "points" in page and "What a share of the lead costs the thief" in page
    answer = viewer.client.get(f"/scorecard?name={line.id}&file=scorecard.json")
    packaged = (resources.files("stillwatch.lab.economics") / "data" / "standard.json").read_bytes()
    assert answer.content == packaged and answer.headers["content-security-policy"] == "sandbox"
    for file in ("../../master.key", "scorecard.html", "x"):
        assert viewer.client.get(f"/scorecard?name={line.id}&file={file}").status_code == 404


def test_the_reckoning_on_the_page_is_that_of_the_command(filled: Rig) -> None:
    from stillwatch.app.economics import economics

    line = filled.console.views.scorecards().items[0]
    shown = filled.console.views.scorecard(line.id)
    said = economics(filled.folder / "lab" / "standard" / "scorecard.json", None).reckoning
    assert shown is not None
    assert [(c.task, c.retained, c.undefended, c.hidden) for c in shown.costs] == [
        (c.task, c.retained, c.undefended, c.hidden) for c in said.costs
    ]


def test_what_exams_say_of_a_student_stands_with_its_p_value_or_why_it_says_nothing(tmp_path: Path) -> None:
    packaged = (resources.files("stillwatch.lab.economics") / "data" / "standard.json").read_bytes()
    card = json.loads(packaged)
    card["rows"][0]["evidence"] = [
        {"about": "mark", "exam": "green", "log_p": -36.9, "n": 4_000, "unit": "tokens", "innocent_log_p": -0.1},
        {"about": "canary", "why": "<b>nothing was planted</b>"},
    ]
    with rigged(tmp_path / "state", roles=("viewer",)) as rig:
        folder = tmp_path / "state" / "lab" / "marked"
        folder.mkdir(parents=True)
        (folder / "scorecard.json").write_text(json.dumps(card))
        viewer, name = rig.signed_in("viewer"), rig.console.views.scorecards().items[0].id
        page = viewer.get(f"/scorecard?name={name}")
        assert "green 1e-16" in page and "p 1e-16 on 4,000 tokens; of an innocent model 0.90" in page
        assert "no exam: &lt;b&gt;nothing was planted" in page
        card["rows"][0]["evidence"] = [{"about": "of no kind", "why": "x"}, {"about": "mark", "exam": "green"}]
        (folder / "scorecard.json").write_text(json.dumps(card))
        assert "It cannot be shown" in viewer.get(f"/scorecard?name={name}")


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b'{"plan": 1}', b"\xff"])
def test_a_scorecard_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    with rigged(tmp_path / "state", roles=("viewer",)) as rig:
        folder = tmp_path / "state" / "lab" / "quick"
        folder.mkdir(parents=True)
        (folder / "scorecard.json").write_bytes(content)
        viewer = rig.signed_in("viewer")
        assert "Cannot be read" in viewer.get("/scorecards")
        page = viewer.get(f"/scorecard?name={rig.console.views.scorecards().items[0].id}")
        assert "It cannot be shown" in page and "run the plan again" in page
        monkeypatch.setattr(consolescorecards, "LARGEST", -1)
        assert rig.console.views.scorecards().items[0].problem


def test_a_link_out_of_the_folder_is_no_scorecard(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "scorecard.json").write_bytes(b"{}")
    with rigged(tmp_path / "state", roles=("viewer",)) as rig:
        (tmp_path / "state" / "lab").mkdir()
        (tmp_path / "state" / "lab" / "linked").symlink_to(outside)
        assert rig.console.views.scorecards().items == []


def test_controls_are_shown_with_state_evidence_and_whose_mapping_it_is(filled: Rig) -> None:
    from stillwatch.app.compliancereport import compliance_rows

    page = filled.signed_in("viewer").get("/compliance")
    assert "Every mapping is ours" in page and "no certificate" in page
    rows = compliance_rows(None, filled.folder, (), filled.now)
    shown = filled.console.views.compliance()
    assert [(r.control, r.state) for r in rows] == [(r.control, r.state) for r in shown.items]
    assert sum(shown.states.values()) == len(rows)


def test_programs_get_the_same(filled: Rig) -> None:
    client, head = filled.browser(), filled.token("viewer")
    listed = client.get("/api/v1/dossiers", headers=head).json()["items"]
    assert [one["name"] for one in listed] == [NAME]
    one = client.get(f"/api/v1/dossiers/{NAME}", headers=head).json()
    assert one["seal"]["state"] == "holds" and one["findings"][0]["rejected"] is True
    card = client.get("/api/v1/scorecards", headers=head).json()["items"][0]["id"]
    assert client.get(f"/api/v1/scorecards/{card}", headers=head).json()["items"]
    assert client.get("/api/v1/compliance", headers=head).json()["items"]
    assert client.get("/api/v1/dossiers/none", headers=head).status_code == 404
