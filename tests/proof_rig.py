"""A state folder with a ledger, canaries and keys of marks, and an examination of a suspect that shows its canaries."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from stillwatch.app.canaries import CanaryAsk, plan
from stillwatch.app.control import canary_secret, open_control
from stillwatch.app.dossier import DossierAsk, build
from stillwatch.app.examination import begin, finish, load, log_attempt, materials, open_secrets
from stillwatch.app.ledger import checkpoint, find_ledger, make_ledger, request, reveals, stamp
from stillwatch.app.markring import new_ring
from stillwatch.forensics.exams import EXAMS
from stillwatch.ledger.folder import LedgerFolder
from stillwatch.terms.account import Decision
from stillwatch.terms.finding import Acquired
from stillwatch.terms.protocol import Authority, ExamProtocol, Hypothesis, PlannedTest, SuspectSaid, TermsSaid
from stillwatch.treatments.canaries import template
from stillwatch.treatments.marks.config import MarkConfig

NOW = 1_780_000_000.0
BY = "N. N."


def made_state(state: Path, *, subjects: tuple[str, ...] = ("acme",), count: int = 32) -> None:
    """Make a state folder whose ledger saw keys and canaries made."""
    make_ledger(state, "example.org/log")
    new_ring(state, MarkConfig(), NOW)
    with open_control(state) as book:
        for subject in subjects:
            book.add_decision(
                Decision(subject=subject, kind="account", accounts=(subject,), verb="confirm", by=BY, reason="seen",
                         at=NOW, expires=NOW + 86_400 * 30, receipt="r1")
            )  # fmt: skip
            ask = CanaryAsk(subject=subject, by=BY, reason="seen", count=count)
            plan(book, ask, canary_secret(state), NOW + 60)


def planned(*tests: PlannedTest, available: str = "") -> ExamProtocol:
    """Return a protocol that asks whether the suspect learned from what was served."""
    return ExamProtocol(
        question="Did the suspect learn from answers that were served to one account?",
        suspect=SuspectSaid(name="suspect-7b", access="text", where="https://suspect.example/v1", available=available),
        authority=Authority(kind="contract", reference="Terms of service, section 4", by=BY),
        hypotheses=(
            Hypothesis(id="h1", null="The suspect's answers do not depend on the values drawn.",
                       claim="The suspect learned from answers with canaries."),
        ),
        tests=tests or (canary_test(),), alpha="1e-6", seed="", code={"stillwatch": "0"}, by=BY, made="",
        terms=TermsSaid(version="2026-03-01", sha256="0" * 64, circumvented=("Limit of 60 requests a minute",)),
    )  # fmt: skip


def canary_test(**changes: object) -> PlannedTest:
    test = PlannedTest(
        id="t1", exam="canary", hypothesis="h1", statistic="canaries hit", samples=32, unit="canaries", family=1,
        secrets="canary",
        parameters={"answers": "transcript/t1.jsonl", "openings": "reveal/canaries.json", "seed": "seed/seed.json"},
    )  # fmt: skip
    return replace(test, **changes)  # type: ignore[arg-type]


def answers(state: Path, hits: int) -> bytes:
    """Return what a suspect says that shows `hits` of the values drawn, and another value of each other canary."""
    rows = []
    for n, one in enumerate(sorted(of_canaries(state), key=lambda reveal: reveal.item.id)):
        values = [str(value) for value in one.facts["alternatives"]]  # type: ignore[union-attr]
        index = int(str(one.facts["index"]))
        value = values[index if n < hits else (index + 1 + n) % len(values)]
        rows.append({"probe": one.facts["template"], "answer": template(str(one.facts["template"])).said(value)})
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def of_canaries(state: Path):  # type: ignore[no-untyped-def]
    return [reveal for reveal in reveals(state) if reveal.item.kind == "canary"]


def acquired(name: str = "transcript/t1.jsonl") -> Acquired:
    return Acquired(n=0, at="2026-06-01T00:00:00Z", by=BY, tool="stillwatch 0", test="t1", asked=32, answered=32,
                    material=name, sha256="")  # fmt: skip


def examined(state: Path, folder: Path, *, hits: int = 24, protocol: ExamProtocol | None = None) -> None:
    """Examine a suspect from protocol to findings."""
    begin(state, folder, protocol or planned())
    log_attempt(state, folder, acquired(), answers(state, hits))
    open_secrets(folder, "canaries", of_canaries(state))
    found, held = load(folder), materials(folder)
    finish(state, folder, [f for test in found.protocol.tests for f in EXAMS.get(test.exam).find(test, held)])


def built(state: Path, folder: Path, out: Path, **more: object):  # type: ignore[no-untyped-def]
    return build(DossierAsk(state=state, examination=folder, out=out, by=BY, **more))  # type: ignore[arg-type]


def authority(folder: Path) -> tuple[Path, Path]:
    """Make a timestamp authority with the `openssl` program; return its configuration and its root certificate."""
    folder.mkdir(parents=True)
    config = folder / "tsa.cnf"
    config.write_text(
        "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=Test authority root\n[ca]\n"
        "basicConstraints=critical,CA:TRUE\n"
        "keyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n"
        "[stamp]\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        "extendedKeyUsage=critical,timeStamping\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        "[tsa]\ndefault_tsa=one\n[one]\n"
        f"serial={folder}/serial\nsigner_cert={folder}/tsa.pem\nsigner_key={folder}/tsa.key\nsigner_digest=sha256\n"
        "default_policy=1.2.3.4.1\ndigests=sha256\naccuracy=secs:1\nordering=no\ntsa_name=no\ness_cert_id_chain=no\n"
        "ess_cert_id_alg=sha256\ncrypto_device=builtin\n"
    )
    (folder / "serial").write_text("01\n")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-config", str(config),
            "-extensions", "ca")  # fmt: skip
    openssl("req", "-new", *key, "-keyout", "tsa.key", "-out", "tsa.csr", "-config", str(config),
            "-subj", "/CN=Test authority")  # fmt: skip
    openssl("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tsa.pem",
            "-days", "3650", "-extfile", str(config), "-extensions", "stamp")  # fmt: skip
    return config, folder / "ca.pem"


def answered(config: Path, request: bytes) -> bytes:
    """Return the authority's answer to a request."""
    query, reply = config.parent / "q.tsq", config.parent / "r.tsr"
    query.write_bytes(request)
    subprocess.run(
        ["openssl", "ts", "-reply", "-config", str(config), "-queryfile", str(query), "-out", str(reply)],
        check=True, capture_output=True,
    )  # fmt: skip
    return reply.read_bytes()


def ledger_of(root: Path) -> LedgerFolder:
    found = find_ledger(root / "state")
    assert found is not None
    return found


def stamped(root: Path, config: Path, certificate: Path) -> None:
    """Sign the log below `root` and have the note stamped."""
    size = checkpoint(root / "state").note.checkpoint.size
    stamp(root / "state", size, answered(config, request(root / "state", size)), certificate.read_bytes())


def finished(root: Path) -> None:
    """Compute and log what the materials of `root / "exam"` come to."""
    found, held = load(root / "exam"), materials(root / "exam")
    findings = [f for test in found.protocol.tests for f in EXAMS.get(test.exam).find(test, held)]
    finish(root / "state", root / "exam", findings)


def stamped_dossier(root: Path) -> Path:
    """Make a state, an examination and its dossier below `root`, stamped before and after; return `root`."""
    made_state(root / "state")
    config, certificate = authority(root / "tsa")
    stamped(root, config, certificate)
    examined(root / "state", root / "exam", protocol=planned(available="2100-01-01T00:00:00Z"))
    stamped(root, config, certificate)
    built(root / "state", root / "exam", root / "dossier")
    return root


@contextmanager
def authority_served(config: Path) -> Iterator[str]:
    """Serve a timestamp authority on this machine; give its address."""

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = answered(config, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Desk)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsr"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
