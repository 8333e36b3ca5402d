"""Check a Stillwatch dossier without Stillwatch: Python's standard library and the `openssl` program, nothing else.

    python verify_dossier.py DOSSIER --key FINGERPRINT

FINGERPRINT is the SHA-256 of the provider's public key, which must have reached you another way than the dossier.
It is written to be read: each step says what it checks, and stops the program where something does not hold.

What it does not do: compute p-values from the materials. `stillwatch dossier verify` does; what is checked here is that
the numbers are those that were logged, and that the conclusion follows from them by Holm's method.
"""

import argparse
import base64
import hashlib
import json
import math
import re
import subprocess
import sys
from pathlib import Path

PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


def main() -> None:
    """Run every step."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("dossier", type=Path)
    asked.add_argument("--key", required=True, help="fingerprint of the provider's key, 64 hex digits")
    given = asked.parse_args()
    try:
        verify(given.dossier, given.key.lower())
    except (OSError, ValueError, KeyError, IndexError, TypeError) as problem:
        sys.exit(f"REJECTED: {type(problem).__name__}: {ascii(str(problem))}")


def need(fine: bool, what: str) -> None:
    """Go on only if this holds."""
    if not fine:
        sys.exit(f"REJECTED: {what}")
    print(f"holds     {what}")


def sha(raw: bytes) -> str:
    """SHA-256 as hex."""
    return hashlib.sha256(raw).hexdigest()


def canonical(value: object) -> bytes:
    """The one JSON text of a value: names sorted, no blanks, UTF-8. Records here hold no real numbers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def verify(folder: Path, key: str) -> None:
    """Hold the dossier against itself, from the outside in."""
    found = sorted(folder.rglob("*"))
    names = [path.relative_to(folder).as_posix() for path in found]
    need(
        all(PLAIN.fullmatch(name) for name in names), "every name is plain"
    )  # a name goes to openssl and to this screen
    need(not any(path.is_symlink() for path in found), "nothing is a link")
    files = {name: path.read_bytes() for name, path in zip(names, found, strict=True) if path.is_file()}
    _seal(folder, files, key)
    entries, openings = _log(folder, files)
    protocol = json.loads(files["protocol.json"])
    first = _order(files, entries, openings, protocol)
    committed, groups = _denominators(entries, openings, first, protocol)
    _secrets(files, committed, groups, protocol)
    _stamps(folder, files)
    _conclusion(files, protocol, entries, openings, first)


def openssl_signature(folder: Path, message: str, signature: str) -> bool:
    """Whether OpenSSL finds the provider's Ed25519 signature over a file."""
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "ledger/public.pem", "-rawin"]
    done = subprocess.run([*command, "-in", message, "-sigfile", signature], cwd=folder, capture_output=True)
    return done.returncode == 0


def _seal(folder: Path, files: dict[str, bytes], key: str) -> None:
    pem = files["ledger/public.pem"].decode().split("\n")
    need(sha(base64.b64decode("".join(pem[1:-2]))[-32:]) == key, "the key is the one you named")
    need(openssl_signature(folder, "seal.json", "seal.sig"), "the seal is signed by it")
    listed = json.loads(files["seal.json"])["files"]
    others = set(files) - {"seal.json", "seal.sig"}
    need(set(listed) == others, "the seal lists every file there is")
    need(
        all(sha(files[name]) == listed[name]["sha256"] for name in others),
        f"{len(others)} files are as they were sealed",
    )
    need(openssl_signature(folder, "index.pae", "index.sig"), "the statement on the index is signed")
    envelope = json.loads(files["index.dsse.json"])
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    need(
        files["index.pae"] == b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload), "it is the statement's"
    )
    digests = {one["name"]: one["digest"]["sha256"] for one in json.loads(payload)["subject"]}
    need(digests["index.json"] == sha(files["index.json"]), "the statement is on this index")


def tree_root(leaves: list[bytes]) -> bytes:
    """Root of the Merkle tree over entries, by the definition in RFC 6962 section 2.1."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + tree_root(leaves[:split]) + tree_root(leaves[split:])).digest()


def _log(folder: Path, files: dict[str, bytes]) -> tuple[list[dict], dict[str, dict]]:
    leaves = files["ledger/entries.jsonl"].rstrip(b"\n").split(b"\n")
    notes = sorted(name.removesuffix(".note") for name in files if name.endswith(".note"))
    sizes = []
    for note in notes:
        need(openssl_signature(folder, f"{note}.txt", f"{note}.sig"), f"checkpoint {note} is signed")
        text = files[f"{note}.txt"]
        need(files[f"{note}.note"].startswith(text + b"\n"), f"checkpoint {note} is the note's text")
        _, size, root = text.decode().splitlines()
        sizes.append(int(size))
        need(tree_root(leaves[: int(size)]) == base64.b64decode(root), f"the first {size} entries lead to its root")
    need(max(sizes) == len(leaves), "the last checkpoint covers the whole log")
    openings = {sha(canonical(one)): one["payload"] for one in json.loads(files["ledger/openings.json"])}
    return [json.loads(leaf) for leaf in leaves], openings


def _order(files: dict[str, bytes], entries: list[dict], openings: dict[str, dict], protocol: dict) -> int:
    """Protocol before the first query, findings after the last; every attempt told."""
    del protocol
    digest = sha(files["protocol.json"])
    said = json.loads(base64.b64decode(json.loads(files["protocol.dsse.json"])["payload"]))
    need(said["subject"][0]["digest"]["sha256"] == digest, "the protocol is the one that was signed")
    first = next(n for n, one in enumerate(entries) if openings.get(one["body"], {}).get("protocol") == digest
                 and one["kind"] == "protocol")  # fmt: skip
    attempts = [n for n, one in enumerate(entries) if one["kind"] == f"attempt.{digest[:16]}"]
    need(all(n > first for n in attempts), f"the protocol is entry {first}, before all {len(attempts)} attempts")
    told = [openings[entries[n]["body"]] for n in attempts]
    own = [{**one, "protocol": digest} for one in json.loads(files["acquisition.json"])]
    need(told == own, "the acquisition log has every attempt that was logged, and no other")
    for one in own:
        if one["material"]:
            need(sha(files[f"materials/{one['material']}"]) == one["sha256"], f"{one['material']} is as it was logged")
    logged = [n for n, one in enumerate(entries) if one["kind"] == "findings"
              and openings.get(one["body"], {}).get("findings") == sha(files["findings.json"])]  # fmt: skip
    need(bool(logged) and logged[-1] > max(attempts, default=first), "the findings were logged after the last attempt")
    return first


def _denominators(
    entries: list[dict], openings: dict[str, dict], first: int, protocol: dict
) -> tuple[set[str], dict[str, dict[str, int]]]:
    """Every commitment before the protocol is opened, so that nobody can hide how many secrets there were."""
    items: set[str] = set()
    groups: dict[str, dict[str, int]] = {}
    for entry in entries[:first]:
        if entry["kind"].startswith("commit."):
            payload = openings[entry["body"]]  # a commitment that is not opened hides a denominator
            if len(payload["items"]) != entry["count"]:
                raise ValueError("an entry commits to another number than it says")
            items |= set(payload["items"])
            held = groups.setdefault(entry["kind"].removeprefix("commit."), {})
            for name, count in payload["groups"].items():
                held[name] = held.get(name, 0) + count
    told = {one["kind"]: one["groups"] for one in protocol["denominators"]}
    need({kind: one for kind, one in groups.items() if kind != "seed"} == told, "the protocol counts every secret")
    for test in protocol["tests"]:
        if test["secrets"]:
            held = groups[test["secrets"]]
            chosen = {name: n for name, n in held.items() if not test["groups"] or name in test["groups"]}
            least = sum(chosen.values()) if test["secrets"] == "mark-key" else len(chosen)
            need(test["family"] >= least, f"test {test['id']} answers for {least} hypotheses")
    return items, groups


def _secrets(files: dict[str, bytes], committed: set[str], groups: dict, protocol: dict) -> None:
    """Whatever is opened was committed to before the protocol, and nothing of a group is left out."""
    shown: dict[tuple[str, str], set[str]] = {}
    for name in sorted(files):
        if name.startswith(("materials/reveal/", "materials/seed/")):
            for one in json.loads(files[name]):
                item = one["item"]
                digest = sha(canonical(item))
                about = sha(canonical({"facts": one["facts"], "nonce": one["nonce"]}))
                if (
                    digest not in committed
                    or sha(bytes.fromhex(one["secret"])) != item["sha256"]
                    or about != item["about"]
                ):
                    raise ValueError(f"{item['id']} was not committed to before the protocol")
                shown.setdefault((item["kind"], item["group"]), set()).add(digest)
    plans = {test["id"]: test for test in protocol["tests"]}
    for finding in json.loads(files["findings.json"]):
        plan = plans[finding["test"]]
        names = [f"materials/{one['name']}" for one in finding["materials"] if one["role"] == "reveal"]
        for item in (one["item"] for name in names for one in json.loads(files[name])):
            kind = item["kind"].replace("mark-epoch", "mark-key")
            counted = not plan["groups"] or item["group"] in plan["groups"]
            if kind != "mark-context" and (kind != plan["secrets"] or not counted):
                raise ValueError(f"test {plan['id']} opens {item['id']}, which it did not plan to count")
    need(
        any(protocol["seed"] in found for found in shown.values()), "the seed and all secrets were committed to before"
    )
    for (kind, group), found in shown.items():
        if kind in ("canary", "withheld") and len(found) != groups[kind][group]:
            raise ValueError(f"{kind} {group}: some are left out")


def _stamps(folder: Path, files: dict[str, bytes]) -> None:
    names = sorted(name for name in files if name.endswith(".tsr"))
    for name in names:
        of, roots = name.removesuffix(".tsr").rpartition(".")[0], name.removesuffix(".tsr") + ".pem"
        command = ["openssl", "ts", "-verify", "-data", of, "-in", name, "-CAfile", roots]
        need(subprocess.run(command, cwd=folder, capture_output=True).returncode == 0, f"timestamp {name}")
        shown = subprocess.run(["openssl", "ts", "-reply", "-in", name, "-text"], cwd=folder, capture_output=True)
        when = [line for line in shown.stdout.decode().splitlines() if line.startswith("Time stamp:")]
        print(f"          {' '.join(when)}; compare {roots} with the roots that the authority publishes")
    if not names:
        print("note      no third-party timestamp: the dates are the provider's own word")


def _conclusion(
    files: dict[str, bytes], protocol: dict, entries: list[dict], openings: dict[str, dict], first: int
) -> None:
    """Holm over every planned hypothesis, times the protocols that may have been about this suspect."""
    name = protocol["suspect"]["name"]
    others = [openings.get(one["body"]) for n, one in enumerate(entries) if one["kind"] == "protocol" and n != first]
    times = 1 + sum(one is None or one["suspect"] == name for one in others)
    bets = {test["id"] for test in protocol["tests"] if test["bet"]}
    logs = []
    for one in json.loads(files["findings.json"]):
        if not one["skipped"] and one["kind"] != "identity":
            if one["log_p"] is not None:
                logs.append((min(0.0, float.fromhex(one["log_p"])), one["test"], one["subject"], one["kind"]))
            elif one["nats"] is not None and one["test"] in bets:
                logs.append((min(0.0, -float.fromhex(one["nats"])), one["test"], one["subject"], one["kind"]))
    family, worst, rejected = sum(test["family"] for test in protocol["tests"]), -math.inf, []
    for rank, (log_p, test, subject, kind) in enumerate(sorted(logs)):
        worst = max(worst, log_p + math.log(max(1, family - rank)) + math.log(times))
        if min(0.0, worst) <= math.log(float(protocol["alpha"])):
            rejected.append((test, subject, kind))
    said = json.loads(files["facts.json"])["conclusion"]
    told = [(one["test"], one["subject"], one["kind"]) for one in said["judged"] if one["rejected"]]
    need(told == rejected, f"Holm over {family} hypotheses and {times} protocols rejects what is said: {len(rejected)}")
    need((said["verdict"] == "shown") == bool(rejected), "the verdict follows")
    # What its maker says of it is not repeated: only what was checked here.
    kinds = ", ".join(sorted({kind for _, _, kind in rejected})) or "none"
    alpha = ascii(float(protocol["alpha"]))
    print(f"{len(rejected)} of {family} hypotheses are rejected at error rate {alpha}; kinds of evidence: {kinds}")


if __name__ == "__main__":
    main()
