"""Tokenisers read from files cut text exactly as the model server does."""

import json
import unicodedata
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stillwatch.engines.gguf import read_facts
from stillwatch.engines.tokens import Tokens, load_tokens
from stillwatch.engines.tokens import missing as no_library
from stillwatch.lab.teacher import Teacher, missing, model_file, start_teacher
from stillwatch.lab.traffic import TrafficPlan, compose, load_corpus
from stillwatch.terms.errors import StillwatchError

library = pytest.mark.skipif(bool(no_library()), reason=f"peer: {no_library()}")
teacher_too = pytest.mark.skipif(bool(missing()), reason=f"peer: the embedded teacher: {missing()}")


@pytest.fixture(scope="module")
def teacher() -> Iterator[Teacher]:
    running = start_teacher()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    path = model_file()
    assert path is not None
    return load_tokens(path)


def odd_texts(count: int) -> list[str]:
    """Return texts of every sort of character, drawn with a fixed seed."""
    rng = np.random.default_rng(7)
    pools = [
        "abcdefgh XYZ  \t\n\r\n.,;:!?'\"-_()[]{}<>|/\\@#$%^&*+=~`0123456789",
        "".join(chr(c) for c in range(0xA0, 0x250)),
        "".join(chr(c) for c in range(0x370, 0x600) if unicodedata.category(chr(c)) != "Cn"),
        "".join(chr(c) for c in (*range(0x2000, 0x2070), *range(0x2150, 0x218A), *range(0x2460, 0x2474), 0x3000)),
        "".join(chr(c) for c in (*range(0x4E00, 0x4E80), *range(0x3040, 0x30A0), *range(0xAC00, 0xAC40))),
        "".join(chr(c) for c in (*range(0x1F300, 0x1F340), 0x200D, 0xFE0F, *range(0x660, 0x66A))),
        " 's 't 're 've 'm 'll 'd I'M don't 123,456.78 1e-6 <|im_end|> <|im_start|> <repo_name> ",
    ]
    texts = []
    for _ in range(count):
        pool = "".join(pools[i] for i in rng.choice(len(pools), size=rng.integers(1, 4), replace=False))
        texts.append("".join(pool[i] for i in rng.integers(0, len(pool), rng.integers(1, 80))))
    return texts


@library
@teacher_too
def test_tokens_of_thousands_of_texts_are_those_of_the_server(teacher: Teacher, tokens: Tokens) -> None:
    traffic = compose(TrafficPlan(seed=3, honest=60, days=2.0, chat_requests=8, job_requests=20), load_corpus(None))
    plain = [text for x in traffic.exchanges for text in (x.answer, x.messages[-1].text)]
    texts = [*dict.fromkeys(text for text in plain if text)][:1500] + odd_texts(1500)
    assert len(texts) > 2500
    head = {"content-type": "application/json", "authorization": f"Bearer {teacher.key}"}
    for text, ours in zip(texts, tokens.all_ids(texts), strict=True):
        body = json.dumps({"content": text, "add_special": False, "parse_special": False}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{teacher.url}/tokenize", body, head)) as answer:
            theirs = json.loads(answer.read())["tokens"]
        assert ours.tolist() == theirs, ascii(text)


@library
@teacher_too
def test_text_comes_back_from_its_tokens(tokens: Tokens) -> None:
    for text in odd_texts(300):
        assert tokens.text(tokens.ids(text)) == text


@library
@teacher_too
def test_what_looks_like_a_control_token_is_text(tokens: Tokens) -> None:
    facts = read_facts(model_file() or Path())
    control = facts["tokenizer.ggml.eos_token_id"]
    assert control not in tokens.ids("one <|im_end|> two").tolist()


@library
def test_a_tokenizer_json_reads_like_the_file_it_was_made_of(tmp_path: Path) -> None:
    import tokenizers

    made = tokenizers.Tokenizer(tokenizers.models.BPE({c: i for i, c in enumerate("abcĠ")}, []))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.add_special_tokens(["<s>"])
    made.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 4)])
    made.enable_truncation(2)
    made.save(str(tmp_path / "tokenizer.json"))
    found = load_tokens(tmp_path / "tokenizer.json")
    assert found.ids("cab a").tolist() == [2, 0, 1, 3, 0]  # nothing put before it, nothing cut off
    assert [ids.tolist() for ids in found.all_ids(["b", ""])] == [[1], []]
    assert found.vocabulary == 5


@library
def test_files_that_are_no_tokeniser_are_named(tmp_path: Path) -> None:
    for name, content in (("a.gguf", b"no"), ("b.gguf", b"GGUF\x03\x00\x00\x00" + b"\xff" * 16), ("c.json", b"{}")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StillwatchError, match=name):
            load_tokens(tmp_path / name)
    with pytest.raises(StillwatchError, match="No such file"):
        load_tokens(tmp_path / "none.json")


def _gguf(*pairs: tuple[str, bytes]) -> bytes:
    def text(value: str) -> bytes:
        return len(value).to_bytes(8, "little") + value.encode()

    said = b"".join(text(name) + value for name, value in pairs)
    return b"GGUF" + (3).to_bytes(4, "little") + bytes(8) + len(pairs).to_bytes(8, "little") + said


def _said(value: str) -> bytes:
    return (8).to_bytes(4, "little") + len(value).to_bytes(8, "little") + value.encode()


_KIND = [("tokenizer.ggml.model", _said("gpt2")), ("tokenizer.ggml.pre", _said("smollm"))]


@library
@pytest.mark.parametrize(
    "content",
    [
        _gguf(*_KIND), _gguf(*_KIND, ("tokenizer.ggml.tokens", _said("x")), ("tokenizer.ggml.merges", _said("x"))),
        _gguf(("x", (9).to_bytes(4, "little") + ((9).to_bytes(4, "little") + (1).to_bytes(8, "little")) * 5_000)),
    ],
    ids=["no words", "words that are none", "lists in lists"],
)  # fmt: skip
def test_a_model_file_of_any_content_is_a_tokeniser_or_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.gguf").write_bytes(content)
    with pytest.raises(StillwatchError, match="fetch"):
        load_tokens(tmp_path / "a.gguf")
