"""The reasoning-phrase list that detection is held against: what a keyword rule would look for.

In: texts. Out: whether a text asks for reasoning in one of the usual wordings. Written for this
benchmark from wordings that are widely known to bring out a chain of thought.
"""

from typing import Final

from stillwatch.terms.exchange import Exchange

PHRASES: Final = (
    "step by step",
    "step-by-step",
    "chain of thought",
    "chain-of-thought",
    "think carefully",
    "think aloud",
    "think out loud",
    "think through",
    "think it through",
    "think about this",
    "before answering",
    "before you answer",
    "before giving the final answer",
    "before giving your answer",
    "show your work",
    "show your working",
    "show all work",
    "show your reasoning",
    "show the reasoning",
    "explain your reasoning",
    "explain your thinking",
    "explain your thought process",
    "explain how you got",
    "explain how you arrived",
    "explain each step",
    "describe your reasoning",
    "write out your reasoning",
    "write your reasoning",
    "lay out your reasoning",
    "reason through",
    "reason about",
    "reasoning process",
    "reasoning steps",
    "reasoning trace",
    "internal reasoning",
    "thought process",
    "inner monologue",
    "scratchpad",
    "<think>",
    "<thinking>",
    "<reasoning>",
    "<scratchpad>",
    "work through",
    "walk me through",
    "break down the problem",
    "break the problem down",
    "intermediate steps",
    "detailed solution",
    "justify your answer",
    "justify each",
    "verify your answer",
    "double-check your",
    "final answer:",
    "answer with reasoning",
    "rationale",
)
"""Lower-case phrases; one inside a text is a match."""


class PhraseList:
    """Matches requests; remembers texts by what they are, because turns of one session share them."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def matches(self, exchange: Exchange) -> bool:
        """Return whether the newest user turn, or a system prompt, holds a phrase."""
        messages = exchange.messages
        newest = next((m.text for m in reversed(messages) if m.role == "user"), "")
        return self._holds(newest) or any(self._holds(m.text) for m in messages if m.role == "system")

    def _holds(self, text: str) -> bool:
        found = self._known.get(text)
        if found is None:
            plain = " ".join(text.lower().split())
            found = self._known[text] = any(phrase in plain for phrase in PHRASES)
        return found
