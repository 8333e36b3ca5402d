"""A dossier as files: read into memory, listed by digest, sealed with the ledger's key, and whether the seal holds.

In: content by path. Out: the same with its index, envelope and seal. The seal covers every file there is: one byte
changed, one file too many or too few, and it does not hold.
Cost: one pass of hashing over the dossier. Left to `dossiercheck`: what the content means.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillwatch.app.examination import is_plain
from stillwatch.ledger.envelope import opened, parts, pre_authentication, sealed, statement
from stillwatch.ledger.openssl import signature_command, spelt, stamp_command
from stillwatch.ledger.signing import PublicKey, SigningKey
from stillwatch.terms.canon import canonical, read_canonical, sha256
from stillwatch.terms.errors import StillwatchError

INDEX, ENVELOPE, PAE, SIGNATURE = "index.json", "index.dsse.json", "index.pae", "index.sig"
SEAL, SEAL_SIGNATURE, SUMS, COMMANDS = "seal.json", "seal.sig", "SHA256SUMS", "VERIFY.txt"
PUBLIC: Final = "ledger/public.pem"
STATEMENT: Final = "dossier/v1"
MOST_FILES: Final = 20_000
MOST_BYTES: Final = 2 << 30
"""Of all files: a dossier comes from a stranger and is read into memory whole."""
_OUTER: Final = frozenset([INDEX, ENVELOPE, PAE, SIGNATURE, SEAL, SEAL_SIGNATURE, SUMS])
Files = Mapping[str, bytes]
"""Content by path below the dossier, forward slashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One file."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Files by path."""

    files: Mapping[str, Listed]
    version: int = 1


def sealed_files(content: Files, key: SigningKey, says: Mapping[str, str]) -> dict[str, bytes]:
    """Return the dossier with index, sums, envelope and seal.

    Args:
        content: Every other file.
        key: The ledger's key.
        says: What the envelope says of it, in words and digests.
    """
    found = dict(content)
    index = canonical(_index(content))
    found[INDEX] = index
    found[SUMS] = sums_of(content)
    found[ENVELOPE] = sealed(statement({INDEX: sha256(index), SUMS: sha256(found[SUMS])}, STATEMENT, says), key)
    payload, found[SIGNATURE] = parts(found[ENVELOPE])
    found[PAE] = pre_authentication(payload)
    return sealed_again(found, key)


def sealed_again(files: Files, key: SigningKey) -> dict[str, bytes]:
    """Return the dossier with a seal over all that it holds now, such as a timestamp of its index."""
    found = {name: raw for name, raw in files.items() if name not in (SEAL, SEAL_SIGNATURE)}
    found[SEAL] = canonical(_index(found))
    found[SEAL_SIGNATURE] = key.sign(found[SEAL])
    return found


def seal_problems(files: Files, key: PublicKey) -> tuple[str, ...]:
    """Return where the files are not those that were sealed; nothing else is worth a look while there is something."""
    if odd := [name for name in files if not is_plain(name)]:
        return (f"{ascii(odd[0][:60])}: is no name that a file of a dossier has",)
    for name in (SEAL, SEAL_SIGNATURE, INDEX, SUMS, ENVELOPE, SIGNATURE, PAE, PUBLIC):
        if name not in files:
            return (f"{name}: is not there",)
    if files[PUBLIC] != key.pem:
        return (f"{PUBLIC}: is not the key that was expected, or was altered",)
    if not key.holds(files[SEAL], files[SEAL_SIGNATURE]):
        return (f"{SEAL}: is not signed by the key {key.fingerprint[:16]}, or was altered",)
    listed = read_canonical(files[SEAL], Index, SEAL).files
    found = [f"{name}: is not there" for name in listed if name not in files]
    found += [
        f"{name}: is not in the seal" for name in files if name not in listed and name not in (SEAL, SEAL_SIGNATURE)
    ]
    for name, entry in listed.items():
        raw = files.get(name)
        if raw is not None and (len(raw), sha256(raw)) != (entry.size, entry.sha256):
            found.append(f"{name}: was altered")
    return tuple(found) or tuple(_index_problems(files, key))


def _index_problems(files: Files, key: PublicKey) -> list[str]:
    content = {name: raw for name, raw in files.items() if name not in _OUTER and not is_stamp(name)}
    if files[INDEX] != canonical(_index(content)):
        return [f"{INDEX}: does not list the files there are"]
    if files[SUMS] != sums_of(content):
        return [f"{SUMS}: does not list the files there are"]
    said = opened(files[ENVELOPE], key, STATEMENT)
    digests = {one.name: dict(one.digest) for one in said.subject}
    if digests != {name: {"sha256": sha256(files[name])} for name in (INDEX, SUMS)}:
        return [f"{ENVELOPE}: is of another index"]
    payload, signature = parts(files[ENVELOPE])
    if (files[PAE], files[SIGNATURE]) != (pre_authentication(payload), signature):
        return [f"{PAE}, {SIGNATURE}: are not those of {ENVELOPE}"]
    return []


def is_stamp(name: str) -> bool:
    """Return whether a file is a timestamp of the index or its roots, which can only come after it."""
    return name.startswith(f"{INDEX}.") and name.endswith((".tsr", ".pem"))


def sums_of(content: Files) -> bytes:
    """Return the digests as `sha256sum --check` takes them."""
    return "".join(f"{sha256(content[name])}  {name}\n" for name in sorted(content)).encode()


def openssl_commands(files: Files) -> list[tuple[str, ...]]:
    """Return the commands that check every signature and timestamp with OpenSSL, in order.

    Args:
        files: Content of the dossier, checkpoints and timestamps included; only names are looked at.
    """
    notes = sorted(name.removesuffix(".note") for name in files if name.endswith(".note"))
    stamps = sorted(name.removesuffix(".tsr") for name in files if name.endswith(".tsr"))
    return [
        signature_command(PUBLIC, SEAL, SEAL_SIGNATURE),
        signature_command(PUBLIC, PAE, SIGNATURE),
        signature_command(PUBLIC, "protocol.pae", "protocol.sig"),
        *(signature_command(PUBLIC, f"{note}.txt", f"{note}.sig") for note in notes),
        *(stamp_command(stamp.rpartition(".")[0], f"{stamp}.tsr", f"{stamp}.pem") for stamp in stamps),
    ]


def commands(files: Files) -> bytes:
    """Return the commands by which everything signed and stamped is checked without Stillwatch, with what each is for.

    Args:
        files: Content of the dossier, checkpoints and timestamps included; only names are looked at.
    """
    seal, index, *signed = [command for command in openssl_commands(files) if command[1] == "pkeyutl"]
    stamps = [command for command in openssl_commands(files) if command[1] == "ts"]
    lines = [
        "# Run these in the folder of the dossier. Each must end without an error; OpenSSL 3 is enough.",
        "# The key: compare this with the fingerprint that the provider gave over another channel.",
        f"openssl pkey -pubin -in {PUBLIC} -outform DER | tail -c 32 | sha256sum",
        "# The seal over every file, and the statement about the index.",
        spelt(seal),
        spelt(index),
        f"sha256sum --check --quiet {SUMS}",
        "# The protocol, and the ledger's checkpoints.",
        *map(spelt, signed),
        "# Timestamps by third parties; the roots beside them must be those that the authority publishes."
        if stamps
        else "# No third-party timestamp.",
        *map(spelt, stamps),
    ]
    return ("\n".join(lines) + "\n").encode()


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return every file of a dossier.

    Raises:
        StillwatchError: it cannot be read, holds something that is no file, or is larger than any dossier.
    """
    try:
        found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(_plain_files(folder))}
    except OSError as problem:
        raise StillwatchError(f"dossier {folder}: {problem.strerror}; make it readable.") from None
    except RecursionError:
        raise StillwatchError(f"dossier {folder}: has folders within folders without end; it is no dossier.") from None
    if not found:
        raise StillwatchError(f"dossier {folder}: is not there or empty; name the folder of a dossier.")
    return found


def size_of(folder: Path) -> int:
    """Return the bytes of a dossier's files, before one of them is read.

    Raises:
        StillwatchError: it cannot be read, or is none.
    """
    try:
        return sum(path.lstat().st_size for path in _plain_files(folder))
    except OSError as problem:
        raise StillwatchError(f"dossier {folder}: {problem.strerror}; make it readable.") from None


def _plain_files(folder: Path) -> list[Path]:
    """Return the files below a folder, before one of them is read; what lies there may be anything."""
    found: list[Path] = []
    size = 0
    for path in folder.rglob("*"):
        status = path.lstat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise StillwatchError(f"dossier {folder}: {path.name} is no plain file; a dossier has only those.")
        if stat.S_ISREG(status.st_mode):
            found.append(path)
            size += status.st_size
        if len(found) > MOST_FILES:
            raise StillwatchError(f"dossier {folder}: has more than {MOST_FILES:,} files; it is no dossier.")
        if size > MOST_BYTES:
            raise StillwatchError(f"dossier {folder}: has more than {MOST_BYTES >> 30} GiB; it is no dossier.")
    return found


def write_folder(files: Files, folder: Path) -> None:
    """Write a dossier whole, or not at all, readable by its owner only.

    Raises:
        StillwatchError: the folder is there already and not empty, or the disk refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StillwatchError(f"dossier {folder}: is there already; name a new folder.")
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        for name, raw in files.items():
            path = draft / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
        os.replace(draft, folder)
    except OSError as problem:
        raise StillwatchError(f"dossier {folder}: {problem.strerror}; nothing was left behind.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _index(content: Files) -> Index:
    return Index(files={name: Listed(sha256=sha256(raw), size=len(raw)) for name, raw in content.items()})
