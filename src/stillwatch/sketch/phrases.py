"""What a text may say when it asks for more than an answer: data for `asks`.

Each ask is listed in English and, a little, in Chinese, German, French and Spanish. The phrases are
cut into tokens like any text, so case, hyphens and apostrophes do not matter, and any number
matches `0`. They are everyday words: a weak hint for the analyst, never a verdict.
"""

from typing import Final

PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "reasoning": (
        "step by step", "chain of thought", "chains of thought", "think aloud", "think out loud", "thinking out loud",
        "show your work", "show your working", "show your reasoning", "show your thinking", "show your steps",
        "show all your", "show all steps", "show each step", "show the steps", "show me your reasoning",
        "explain your reasoning", "explain your thinking", "explain your thought process", "explain your steps",
        "explain the reasoning", "explain each step", "explain every step", "your thought process",
        "your reasoning process", "your reasoning steps", "reasoning steps", "reasoning trace", "reasoning traces",
        "thinking process", "thought process", "your internal reasoning", "internal monologue", "inner monologue",
        "hidden reasoning", "your full reasoning", "your complete reasoning", "detailed reasoning", "let s think",
        "let us think", "think carefully", "walk me through", "walk through your", "reason through", "think it through",
        "before you answer think", "reason before", "include your reasoning", "provide your reasoning",
        "with your reasoning", "write out your", "justify your answer", "intermediate steps", "intermediate reasoning",
        "一步一步", "一步步", "逐步", "分步", "思考过程", "推理过程", "思维链", "思路", "详细推理",
        "解题过程", "解题步骤",
        "schritt für schritt", "denkprozess", "gedankengang", "lösungsweg", "begründe deine", "begründen sie",
        "étape par étape", "pas à pas", "ton raisonnement", "votre raisonnement", "détaille les étapes",
        "paso a paso", "tu razonamiento", "su razonamiento", "cadena de pensamiento", "explica tu",
    ),
    "grading": (
        "rubric", "rubrics", "grade the", "grade this", "grading criteria", "score the", "score this", "score each",
        "scoring criteria", "rate the", "rate this", "rate each", "on a scale of", "on a scale from", "out of 0",
        "from 0 to 0", "as a judge", "impartial judge", "act as a judge", "you are a judge", "judge the",
        "judge whether",
        "which response is better", "which answer is better", "which is better", "compare the following responses",
        "compare the two", "compare the responses", "compare these responses", "compare the answers",
        "rank the following",
        "rank these", "pairwise comparison", "evaluate the response", "evaluate the quality", "evaluate the following",
        "evaluate the answer", "assistant a", "response a", "preferred response", "quality of the response",
        "评分", "打分", "评判", "哪个更好", "哪个回答", "比较以下", "bewerte", "bewerten sie",
        "welche antwort ist besser",
        "auf einer skala", "évalue la", "évaluez", "sur une échelle", "quelle réponse", "note la réponse",
        "evalúa", "califica", "en una escala", "cuál respuesta", "qué respuesta es mejor",
    ),
    "rewriting": (
        "paraphrase", "paraphrased", "paraphrasing", "rewrite", "rewritten", "rephrase", "rephrased",
        "reword", "reworded", "reformulate", "in your own words", "clean up", "clean this", "clean the", "proofread",
        "make it sound", "in different words", "improve the writing", "improve this prompt",
        "polish this", "polish the", "改写", "重写", "润色", "换一种说法", "改述", "umformulieren", "formuliere",
        "schreibe um",
        "umschreiben", "reformule", "reformulez", "réécris", "réécrivez", "paraphrasez", "reescribe", "reescriba",
        "reformula", "parafrasea",
    ),
    "tags": ("xml tags", "xml tag", "xml style tags", "xml like tags", "inside tags", "within tags", "in tags",
             "enclosed in tags", "wrapped in tags", "标签内", "标签中"),
}  # fmt: skip
"""Ask -> phrases of at most six tokens."""

TAG_NAMES: Final = (
    "think", "thinking", "thought", "thoughts", "reasoning", "scratchpad", "answer", "solution", "response", "cot",
    "reflection", "output", "analysis", "explanation", "rationale", "steps", "critique", "verdict", "score",
)  # fmt: skip
"""Names that, followed by `>`, read as a tag the answer is to stand in."""
