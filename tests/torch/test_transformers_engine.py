"""The Transformers processor inside `generate`, our readers and Transformers' own marks on the same tokens."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; run `make test-torch`")
transformers = pytest.importorskip("transformers", reason="transformers is not installed; run `make test-torch`")

from stillwatch.engines.transformers import MarkProcessor  # noqa: E402
from stillwatch.forensics.marks.green import GreenText, read_owner  # noqa: E402
from stillwatch.forensics.marks.gumbel import GumbelText, read_draws  # noqa: E402
from stillwatch.forensics.marks.kgw import KgwMark, read_kgw  # noqa: E402
from stillwatch.forensics.marks.pairs import TokenText  # noqa: E402
from stillwatch.forensics.marks.synthid import SynthIdMark, read_synthid  # noqa: E402
from stillwatch.treatments.marks.green import GreenMark  # noqa: E402
from stillwatch.treatments.marks.gumbel import GumbelMark  # noqa: E402
from stillwatch.treatments.marks.order import MarkOrder  # noqa: E402
from stillwatch.treatments.marks.sampling import Sampling  # noqa: E402
from tests.marked_text import an_epoch  # noqa: E402

VOCAB = 997
PROMPTS = [[5, 6, 7], [900, 2, 3]]


@pytest.fixture(scope="module")
def model() -> Any:
    """A small model with random weights: its text is noise, with much to choose from."""
    torch.manual_seed(1)
    config = transformers.GPT2Config(
        vocab_size=VOCAB, n_embd=32, n_layer=1, n_head=2, n_positions=512, bos_token_id=0, eos_token_id=0,
        pad_token_id=0, initializer_range=0.5,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config).eval()


def generated(model: Any, *, tokens: int = 150, **asked: Any) -> list[list[int]]:
    torch.manual_seed(2)
    settings = {"do_sample": True, "top_k": 0, "max_new_tokens": tokens, "min_new_tokens": tokens, **asked}
    out = model.generate(torch.tensor(PROMPTS), attention_mask=torch.ones((2, 3), dtype=torch.long), **settings)
    return [row[3:] for row in out.tolist()]


@pytest.mark.parametrize("sampled", [True, False])
def test_green_mark_goes_in_for_one_sequence_and_is_read_back(model: Any, sampled: bool) -> None:
    epoch = an_epoch(4, width=1, delta=3.0, vocab=VOCAB)
    tag = epoch.tag("account", "acme")
    mark = GreenMark(epoch, MarkOrder(epoch=1, account=tag, until=1e12))
    both = generated(model, do_sample=sampled, logits_processor=[MarkProcessor([mark, None])])
    plain = generated(model, do_sample=sampled)
    if not sampled:
        assert both[1] == plain[1]
    readings = [
        read_owner(GreenText.of(TokenText.of([said]), epoch), np.random.default_rng(1), account=tag) for said in both
    ]
    assert readings[0][-1].key_name == "all tiers, no campaign"
    assert readings[1][-1].log_p > np.log(1e-4)
    if sampled:
        assert readings[0][-1].fits and readings[0][-1].log_p < np.log(1e-6)


def test_keyed_draw_goes_in_for_one_sequence_and_is_read_back(model: Any) -> None:
    epoch = an_epoch(4, scheme="gumbel", width=2, vocab=VOCAB)
    tag = epoch.tag("account", "acme")
    mark = GumbelMark(epoch, MarkOrder(epoch=1, account=tag, until=1e12))
    how = Sampling(temperature=0.9, top_p=0.95)
    processor = MarkProcessor([mark, None], sampling=how, seed=1)
    both = generated(model, temperature=0.9, top_p=0.95, logits_processor=[processor])
    readings = [
        read_draws(GumbelText.of(TokenText.of([said]), epoch), np.random.default_rng(1), account=tag) for said in both
    ]
    assert readings[0][-1].fits and readings[0][-1].log_p < np.log(1e-12)
    assert readings[1][-1].log_p > np.log(1e-4)


def test_batch_of_another_length_is_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="marks: are 1 for a batch of 2"):
        generated(model, tokens=2, logits_processor=[MarkProcessor([None])])


@pytest.mark.parametrize(
    "settings", [{"seeding_scheme": "lefthash"}, {"seeding_scheme": "selfhash", "context_width": 4}]
)
def test_text_that_transformers_marked_reads_as_its_detector_counts_it(model: Any, settings: dict[str, Any]) -> None:
    asked = transformers.WatermarkingConfig(bias=6.0, **settings)
    length = 100 if settings["seeding_scheme"] == "lefthash" else 40
    said = generated(model, tokens=length, watermarking_config=asked)
    detector = transformers.WatermarkDetector(
        model_config=model.config, device="cpu", watermarking_config=asked, ignore_repeated_ngrams=True
    )
    for row in said:
        theirs = detector(torch.tensor([row]), return_dict=True)
        ours = read_kgw(TokenText.of([row]), KgwMark(vocab=VOCAB, **settings), np.random.default_rng(1))
        assert ours.fits and ours.log_p < np.log(1e-6)
        if settings["seeding_scheme"] == "lefthash":
            assert (ours.scored, ours.hits) == (theirs.num_tokens_scored[0], theirs.num_green_tokens[0])
        else:
            # Several of its n-grams may lead to one list; ours counts each list's tokens once.
            assert ours.scored <= theirs.num_tokens_scored[0] and ours.hits <= theirs.num_green_tokens[0]


def test_text_that_transformers_marked_with_synthid_is_read(model: Any) -> None:
    keys = [654, 400, 836, 123, 340, 443, 597, 160, 57]
    said = generated(model, watermarking_config=transformers.SynthIDTextWatermarkingConfig(keys=keys, ngram_len=5))
    mark = SynthIdMark(keys=tuple(keys), ngram_len=5)
    for row in said:
        reading = read_synthid(TokenText.of([row]), mark, np.random.default_rng(1))
        assert reading.fits and reading.log_p < np.log(1e-6)
    plain = read_synthid(TokenText.of(generated(model)), mark, np.random.default_rng(1))
    assert plain.fits and plain.log_p > np.log(1e-4)


def test_a_place_that_the_model_is_sure_of_is_left_alone_as_in_numpy() -> None:
    epoch = an_epoch(4, width=1, delta=2.0, spare=0.8, vocab=VOCAB)
    mark = GreenMark(epoch)
    scores = torch.zeros((3, VOCAB))
    scores[0, 5], scores[1, 5], scores[2, 5] = 9.0, 5.0, 9.0
    processor = MarkProcessor([mark, mark, None])
    out = processor(torch.tensor([[1], [1], [1]]), scores)
    for row in range(2):
        expected = scores[row].numpy().copy()
        mark.apply(expected, [])
        assert np.allclose(out[row].numpy(), expected)
    assert torch.equal(out[0], scores[0]) and not torch.equal(out[1], scores[1]) and torch.equal(out[2], scores[2])
