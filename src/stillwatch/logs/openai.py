"""Importer `openai`: request and answer pairs of the OpenAI-style APIs, batch files included.

In: rows with a chat, completions, responses or embeddings request, its answer, or both.
Out: exchanges. Left to `pair`: the wrapping. Left to `batches`: bringing both files of a batch together.
Source: the public OpenAI API reference; names as its request and response objects have them.
"""

from collections.abc import Iterable

from stillwatch.logs.anthropic import is_anthropic
from stillwatch.logs.importer import Lens, Row
from stillwatch.logs.pair import is_batch, read_pair, request_in, response_in
from stillwatch.terms.exchange import Exchange

_OBJECTS = ("chat.completion", "text_completion", "chat.completion.chunk", "response", "list")


class OpenAI:
    """Pairs of request and answer in the shape of OpenAI's APIs and of the many servers that copy them."""

    name = "openai"
    about = "OpenAI-style request/response JSONL: chat, completions, responses, embeddings, batch files"

    def claims(self, row: Row) -> bool:
        """Return whether the row holds an OpenAI-style request, answer or batch line."""
        if is_anthropic(row):
            return False
        if is_batch(row):
            return True
        response = response_in(row)
        if type(response) is dict and ("choices" in response or response.get("object") in list(_OBJECTS)):
            return True
        if type(response) is list and response and type(response[0]) is dict and "choices" in response[0]:
            return True
        request = request_in(row)
        if request is None:
            return False
        if request is row:
            return type(row.get("messages")) is list or ("model" in row and type(row.get("input")) is list)
        return True

    def split(self, row: Row) -> Iterable[Row]:
        """Return the row: it is one record."""
        return (row,)

    def read(self, row: Row, lens: Lens) -> Exchange | None:
        """Return the exchange in one row; see `Importer.read`."""
        return read_pair(row, lens, "chat")
