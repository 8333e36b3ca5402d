"""Parts of reasoning where it comes as a list: which are sealed, and where their text stands.

In: parts as OpenRouter (`reasoning_details`) and LiteLLM (`thinking_blocks`) give them, or blocks of Anthropic's wire.
Out: what they hold. A signature covers the text beside it: the model server takes a signed block back only as it was
made. So a signed block is either left, or taken out as a whole where nothing will ask for it back.
"""

from typing import Any, Final

from stillwatch.treatments.treatment import Json

_TEXTS: Final = ("text", "summary", "thinking")
_SEALS: Final = ("signature", "data", "encrypted_content")


def sealed(part: Any) -> bool:
    """Return whether a part is signed or encrypted."""
    return type(part) is dict and any(type(part.get(name)) is str and part[name] for name in _SEALS)


def text_field(part: Any) -> str:
    """Return the name of the field that holds a part's text; empty when none does."""
    if type(part) is not dict:
        return ""
    return next((name for name in _TEXTS if type(part.get(name)) is str and part[name]), "")


def emptied(parts: list[Any]) -> list[Any]:
    """Return only the sealed parts, without text."""
    return [{**part, **{name: "" for name in _TEXTS if name in part}} for part in parts if sealed(part)]


def asked_without_text(body: Json) -> Json:
    """Return a body of Anthropic's messages that asks for thinking without its text, signed as such.

    Only so do later turns keep the model's own thinking: what is emptied afterwards is refused when it comes back.
    """
    asked = body.get("thinking")
    if type(asked) is not dict or asked.get("type") not in ("enabled", "adaptive") or asked.get("display") == "omitted":
        return body
    return {**body, "thinking": {**asked, "display": "omitted"}}
