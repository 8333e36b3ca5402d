"""Nothing that a notary answers, or does not answer, ends a member's process or becomes a token."""

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stillwatch.app.settings import Settings
from stillwatch.app.tokenkeeper import TokenKeeper
from stillwatch.exchange.notary.blind import NotaryKey, blind, finish
from stillwatch.exchange.notary.caller import NotaryAddress
from stillwatch.exchange.notary.epochs import epoch_at, statement
from stillwatch.store.tokenindex import SqliteTokens
from stillwatch.terms.coalition import TokenInput
from stillwatch.terms.errors import StillwatchError
from tests.notary_rig import RunningNotary, answering, exchange, running_notary, series

ONE = [TokenInput("payment", b"opaque:1"), TokenInput("payment", b"opaque:2"), TokenInput("payment", b"opaque:3")]
Reply = Callable[[bytes], bytes]
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TOLD, OTHER = NotaryKey(bytes(32)), NotaryKey(b"\x01" * 32)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNotary]:
    with running_notary(tmp_path_factory.mktemp("hostile") / "first") as running:
        yield running


def whole(status: str, body: bytes, more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{more}connection: close\r\n\r\n".encode() + body


def keys(public: bytes = TOLD.public, number: int | None = None) -> bytes:
    number = epoch_at(time.time()) if number is None else number
    signature = SIGNER.sign(statement(number, public))
    told = {"epoch": number, "public_key": public.hex(), "signature": signature.hex()}
    return whole("200 OK", json.dumps(told).encode())


def body_of(head: bytes, connection: socket.socket) -> bytes:
    start, _, body = head.partition(b"\r\n\r\n")
    length = next(int(x.split(b":")[1]) for x in start.lower().split(b"\r\n") if x.startswith(b"content-length"))
    while len(body) < length:
        body += connection.recv(65536)
    return body


def hostile(reply: Reply) -> Callable[[bytes, socket.socket], None]:
    """A notary that tells its key honestly and answers batches with `reply`."""

    def answer(head: bytes, connection: socket.socket) -> None:
        if head.startswith(b"GET"):
            connection.sendall(keys())
        else:
            connection.sendall(reply(body_of(head, connection)))

    return answer


REPLIES: dict[str, Reply] = {
    "under another key": lambda sent: whole("200 OK", OTHER.evaluate(sent)),
    "one element short": lambda sent: whole("200 OK", TOLD.evaluate(sent[:-32])),
    "one element more": lambda sent: whole("200 OK", TOLD.evaluate(sent + sent[:32])),
    "elements in another order": lambda sent: whole("200 OK", _reordered(TOLD.evaluate(sent))),
    "a byte changed": lambda sent: whole("200 OK", bytes([TOLD.evaluate(sent)[0] ^ 1]) + TOLD.evaluate(sent)[1:]),
    "nothing": lambda sent: whole("200 OK", b""),
    "no group elements": lambda sent: whole("200 OK", b"\xff" * (64 + len(sent))),
    "identity elements": lambda sent: whole("200 OK", bytes(64 + len(sent))),
    "what it was sent": lambda sent: whole("200 OK", bytes(64) + sent),
    "zeros in the proof": lambda sent: whole("200 OK", bytes(64) + TOLD.evaluate(sent)[64:]),
    "text": lambda sent: whole("200 OK", b"<html>hello</html>"),
    "an error page": lambda sent: whole("500 No", b"\xff\xfe" * 100),
    "a redirect": lambda sent: whole("307 Go", b"", "location: http://127.0.0.1:9/\r\n"),
    "no HTTP": lambda sent: b"\x00\x01\x02 hello\r\n\r\n",
    "a cut answer": lambda sent: whole("200 OK", TOLD.evaluate(sent))[:-20],
    "a bomb": lambda sent: whole("200 OK", b"\x1f\x8b" + bytes(64), "content-encoding: gzip\r\n"),
    "a long head": lambda sent: b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000 + b"\r\n\r\n",
}


def _reordered(reply: bytes) -> bytes:
    return reply[:64] + reply[96:128] + reply[64:96] + reply[128:]


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_is_used_only_if_it_is_proved_for_exactly_what_was_sent(name: str, honest: RunningNotary) -> None:
    with answering(hostile(REPLIES[name])) as url:
        second = NotaryAddress(url=url, identity=SIGNER.public_key().public_bytes_raw(), key="nk_x")
        with pytest.raises(StillwatchError) as caught:
            series(honest.address(), second).tokens(ONE)
    assert "opaque" not in str(caught.value) and "nk_x" not in str(caught.value)


def test_the_same_hostile_notary_told_the_truth_would_have_been_believed(honest: RunningNotary) -> None:
    with answering(hostile(lambda sent: whole("200 OK", TOLD.evaluate(sent)))) as url:
        second = NotaryAddress(url=url, identity=SIGNER.public_key().public_bytes_raw(), key="nk_x")
        assert len(series(honest.address(), second).tokens(ONE)) == 3


def slow(head: bytes, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
    for _ in range(1000):
        connection.sendall(b"a")
        time.sleep(0.05)


def endless(head: bytes, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"a" * 65536)


def silent(head: bytes, connection: socket.socket) -> None:
    time.sleep(30)


@pytest.mark.parametrize("answer", [slow, endless, silent], ids=["slow", "endless", "silent"])
def test_a_notary_that_does_not_come_to_an_end_costs_one_deadline(
    answer: Callable[[bytes, socket.socket], None], honest: RunningNotary
) -> None:
    with answering(answer) as url:
        second = NotaryAddress(url=url, identity=SIGNER.public_key().public_bytes_raw(), key="nk_x")
        begun = time.monotonic()
        with pytest.raises(StillwatchError, match="no answer within|answers more than"):
            series(honest.address(), second, seconds=0.5).tokens(ONE)
        assert time.monotonic() - begun < 15.0


def test_a_key_that_the_pinned_identity_did_not_sign_is_never_sent_anything(honest: RunningNotary) -> None:
    asked: list[bytes] = []

    def answer(head: bytes, connection: socket.socket) -> None:
        asked.append(head)
        connection.sendall(keys())

    with answering(answer) as url:
        second = NotaryAddress(url=url, identity=secrets.token_bytes(32), key="nk_x")
        with pytest.raises(StillwatchError, match="not signed by the identity"):
            series(honest.address(), second).tokens(ONE)
    assert all(head.startswith(b"GET") for head in asked)
    assert honest.notary.counts["elements"] % 3 == 0


@pytest.mark.parametrize("told", [
    whole("200 OK", b"{}"), whole("200 OK", b"[1,2"), whole("404 No", b"no"), keys(number=3),
    keys(public=b"\xff" * 32), keys(public=b"short"), whole("200 OK", b"{" + b" " * 10_000),
])  # fmt: skip
def test_a_key_that_cannot_be_one_is_refused(told: bytes, honest: RunningNotary) -> None:
    with answering(lambda head, connection: connection.sendall(told)) as url:
        second = NotaryAddress(url=url, identity=SIGNER.public_key().public_bytes_raw(), key="nk_x")
        with pytest.raises(StillwatchError):
            _ = series(honest.address(), second).epoch


def test_a_notary_cannot_change_its_key_within_an_epoch(honest: RunningNotary) -> None:
    shown = [TOLD.public]

    def answer(head: bytes, connection: socket.socket) -> None:
        if head.startswith(b"GET"):
            connection.sendall(keys(shown[0]))
        else:
            connection.sendall(
                whole("200 OK", (TOLD if shown[0] == TOLD.public else OTHER).evaluate(body_of(head, connection)))
            )

    with answering(answer) as url:
        second = NotaryAddress(url=url, identity=SIGNER.public_key().public_bytes_raw(), key="nk_x")
        asking = series(honest.address(), second)
        before, name = asking.tokens(ONE), asking.epoch
        shown[0] = OTHER.public
        with pytest.raises(StillwatchError):
            asking.tokens(ONE)
        assert asking.epoch == name
        fresh = series(honest.address(), second)
        assert fresh.epoch != name and fresh.tokens(ONE) != before  # another name: nobody mistakes one for the other


def test_a_panic_of_the_library_is_an_error_like_others_in_every_thread() -> None:
    sent = blind([b"a", b"b"])
    reply = OTHER.evaluate(sent.wire)
    found: list[BaseException] = []

    def run() -> None:
        try:
            finish(sent, reply, TOLD.public)
        except BaseException as problem:
            found.append(problem)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(one) for one in found] == [StillwatchError] * 4


def test_a_refusals_words_are_bounded_and_printable(honest: RunningNotary) -> None:
    said = json.dumps({"error": "\x1b[31m" + "a" * 3000}).encode()
    with answering(hostile(lambda sent: whole("400 No", said))) as url:
        second = NotaryAddress(url=url, identity=SIGNER.public_key().public_bytes_raw(), key="nk_x")
        with pytest.raises(StillwatchError) as caught:
            series(honest.address(), second).tokens(ONE)
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 600


def test_two_notaries_of_one_identity_are_none(honest: RunningNotary) -> None:
    with pytest.raises(StillwatchError, match="one identity"):
        series(honest.address(), honest.address())


@pytest.mark.parametrize("url", ["http://notary.example", "ftp://notary.example", "notary.example", "https://"])
def test_an_api_key_never_travels_in_the_clear_to_another_machine(url: str, tmp_path: Path) -> None:
    with pytest.raises(StillwatchError):
        NotaryAddress(url=url, identity=bytes(32), key="nk_x")


def test_a_watchers_hand_outlives_every_hostile_notary(honest: RunningNotary, tmp_path: Path) -> None:
    value = exchange("a", "x", "fp-1")
    for name, reply in REPLIES.items():
        with answering(hostile(reply)) as url:
            second = NotaryAddress(url=url, identity=SIGNER.public_key().public_bytes_raw(), key="nk_x")
            tokeniser = series(honest.address(), second, seconds=5.0)
            keeper = TokenKeeper(tmp_path / name.replace(" ", "-"), Settings(), tokeniser, SqliteTokens(":memory:"))
            keeper.begin()
            keeper.keep([value], time.time())
            for _ in range(200):
                if keeper.status.failed:
                    break
                time.sleep(0.05)
            assert keeper.status.failed == 1 and keeper._thread is not None and keeper._thread.is_alive(), name
            assert keeper.index.epochs() == () and len(keeper._queue) == 2
            keeper.close()
