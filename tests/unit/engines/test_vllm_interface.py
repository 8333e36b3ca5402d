"""Our vLLM processor has the methods that vLLM's model runner V2 calls, and needs no vLLM to be imported."""

import inspect

import pytest

from stillwatch.engines import vllm
from tests.golden_answers import golden

INTERFACE = golden("vllm_interface.json")
METHODS = INTERFACE["classes"]["LogitsProcessor"]["methods"]


@pytest.mark.parametrize("name", METHODS)
def test_method_takes_what_vllm_hands_it(name: str) -> None:
    ours = inspect.getattr_static(vllm.MarkProcessor, name)
    function = ours.__func__ if isinstance(ours, classmethod) else ours
    assert list(inspect.signature(function).parameters) == METHODS[name]
    assert isinstance(ours, classmethod) == (METHODS[name][0] == "cls")


def test_what_the_processor_reads_is_there() -> None:
    classes = INTERFACE["classes"]
    assert classes["LogitsProcessor"]["abstract"] == ["apply"]
    assert {"device", "all_token_ids", "prompt_len", "total_len"} <= set(classes["LogitsProcRequestState"]["fields"])
    read = {"expanded_idx_mapping", "idx_mapping_np", "expanded_local_pos", "input_ids"}
    assert read <= set(classes["LogitsContext"]["fields"])
    assert INTERFACE["sampling_params"] == ["temperature", "top_k", "top_p", "min_p", "seed", "extra_args"]
    assert INTERFACE["buffers"] == {"UvaBackedTensor": ["gpu", "np"], "StagedWriteTensor": ["gpu"]}


def test_class_for_vllm_is_made_when_it_is_asked_for() -> None:
    with pytest.raises(ImportError, match="vllm 0.33 or later"):
        _ = vllm.StillwatchMark
    with pytest.raises(AttributeError, match="no attribute 'Other'"):
        _ = vllm.Other
