"""From the suspect of a plan to one that can be asked: an endpoint, a model of the lab, a GGUF file by its engine.

In: a `SuspectPlan`. Out: a `Suspect`. Keys come from the environment, by the name that the plan gives.
Left to `suspects`: asking. Left to `lab`: models and the engine's process; torch is imported by it alone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stillwatch.app.examineplan import SuspectPlan
from stillwatch.suspects.endpoint import EndpointSuspect
from stillwatch.suspects.local import LocalSuspect, MeanModel, Spell, Tokenise, TokenModel
from stillwatch.suspects.suspect import Suspect
from stillwatch.terms.errors import StillwatchError


@contextmanager
def open_suspect(plan: SuspectPlan, tokenizer: str = "") -> Iterator[Suspect]:
    """Give the suspect of a plan, and let go of it afterwards.

    Args:
        plan: Of the suspect; not of kind `texts`, of which nothing can be asked.
        tokenizer: Path of a tokeniser, for models that take token ids.

    Raises:
        StillwatchError: the key, the file or the engine is not there.
    """
    if plan.kind == "gguf":
        from stillwatch.lab.teacher import MODEL, start_teacher

        engine = start_teacher(model=Path(plan.where))
        try:
            yield EndpointSuspect(url=f"{engine.url}/v1", model=plan.model or MODEL, key=engine.key, wire="chat",
                                  logprobs=True)  # fmt: skip
        finally:
            engine.stop()
        return
    found = _endpoint(plan) if plan.kind == "endpoint" else _local(plan, tokenizer)
    try:
        yield found
    finally:
        found.close()


def load_model(path: Path) -> TokenModel:
    """Return a model that the lab saved: a `.pt` file, or a folder that holds one.

    Raises:
        StillwatchError: there is none, or torch is not installed.
    """
    from stillwatch.lab.neural.languagemodel import LanguageModel

    if path.is_dir():
        held = sorted(path.glob("*.pt"))
        if len(held) != 1:
            raise StillwatchError(f"model folder {path.name}: holds {len(held)} .pt files; must hold one.")
        path = held[0]
    return LanguageModel.load(path)


def load_reference(plan: SuspectPlan) -> TokenModel:
    """Return the reference of a plan: one model, or several as one.

    Raises:
        StillwatchError: one is not there, or torch is not installed.
    """
    models = tuple(load_model(Path(where)) for where in (plan.where, *plan.also))
    return models[0] if len(models) == 1 else MeanModel(models)


def open_reference(plan: SuspectPlan, tokenizer: str) -> LocalSuspect:
    """Return the reference of a plan as one that tells losses on texts.

    Raises:
        StillwatchError: as `load_reference`; or the tokeniser's file is not there.
    """
    from stillwatch.engines.tokens import load_tokens

    tokens = load_tokens(Path(tokenizer))
    return LocalSuspect(model=load_reference(plan), name="reference", where=plan.where,
                        tokenise=lambda text: [int(one) for one in tokens.ids(text)])  # fmt: skip


def _local(plan: SuspectPlan, tokenizer: str) -> Suspect:
    tokenise: Tokenise | None = None
    spell: Spell | None = None
    if tokenizer:
        from stillwatch.engines.tokens import load_tokens

        tokens = load_tokens(Path(tokenizer))
        tokenise, spell = (lambda text: [int(one) for one in tokens.ids(text)]), tokens.text
    path = Path(plan.where)
    return LocalSuspect(model=load_model(path), name=plan.name or path.name, where=plan.where, tokenise=tokenise,
                        spell=spell)  # fmt: skip


def _endpoint(plan: SuspectPlan) -> Suspect:
    key = os.environ.get(plan.key_env, "") if plan.key_env else ""
    if plan.key_env and not key:
        raise StillwatchError(f"suspect key: {plan.key_env} is not set in the environment; the plan names it.")
    return EndpointSuspect(url=plan.where, model=plan.model, key=key, wire=plan.wire, logprobs=plan.logprobs)
