"""Importer `otel`: GenAI spans of OpenTelemetry, both generations of names, and OpenInference's.

In: OTLP JSON documents of traces or logs, or flat span dumps. Out: an exchange for each span of a model call;
spans of another kind (tools, agents, web servers) are none.
Cost: about 40 microseconds a span. Left to `spans`: the wire mapping; to `dialogue`: the texts.
Source: OpenTelemetry GenAI semantic conventions up to 1.36 and after; OpenInference semantic conventions.
"""

from collections.abc import Iterable
from typing import Any

from stillwatch.logs.answers import count_of, finish_of
from stillwatch.logs.assemble import build
from stillwatch.logs.content import parsed
from stillwatch.logs.dialogue import read_dialogue
from stillwatch.logs.identity import Found, identify
from stillwatch.logs.importer import Lens, Row
from stillwatch.logs.requests import Fields, endpoint_of, read_parameters
from stillwatch.logs.spans import attributes_of, end_of, is_document, spans_in, start_of
from stillwatch.terms.exchange import Exchange

_MARKS = ("gen_ai.system", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "llm.model_name")
_OTHER = frozenset(
    {"execute_tool", "invoke_agent", "create_agent", "invoke_workflow", "agent", "tool", "workflow", "task"}
)
_MODELS = (
    "gen_ai.request.model",
    "gen_ai.response.model",
    "llm.model_name",
    "embedding.model_name",
    "llm.request.model",
)
_TOKENS_IN = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
)
_TOKENS_OUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
)
_FINISHES = ("gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "llm.finish_reason")
_TYPED_TIMES = ("startTimeUnixNano", "start_time_unix_nano")


class Otel:
    """Spans that record a model call."""

    name = "otel"
    about = "OpenTelemetry GenAI spans: OTLP JSON or span dumps, both generations of names, OpenInference"

    def claims(self, row: Row) -> bool:
        """Return whether the row is an OTLP document or a span, of whatever kind."""
        if is_document(row):
            return True
        attributes = row.get("attributes")
        if type(attributes) not in (dict, list):
            return False
        if any(name in row for name in _TYPED_TIMES) or "spanId" in row or "span_id" in row or "parent_id" in row:
            return True
        return any(name.startswith(("gen_ai.", "llm.", "openinference.")) for name in attributes_of(attributes))

    def split(self, row: Row) -> Iterable[Row]:
        """Return the spans of a document; a flat span is one record."""
        return spans_in(row) if is_document(row) else (row,)

    def read(self, row: Row, lens: Lens) -> Exchange | None:
        """Return the exchange in one span, None for a span of another kind; see `Importer.read`."""
        attributes = attributes_of(row.get("attributes"))
        operation = attributes.get("gen_ai.operation.name", attributes.get("llm.request.type"))
        if not _is_call(attributes, operation):
            return None
        fields: Fields = {}
        read_dialogue(attributes, row, fields)
        fields["endpoint"] = _endpoint(operation, attributes)
        _read_figures(attributes, fields)
        return build(row, _who(row, attributes), fields, lens)


def _is_call(attributes: Row, operation: Any) -> bool:
    if type(operation) is str and operation.lower() in _OTHER:
        return False
    kind = attributes.get("openinference.span.kind", attributes.get("traceloop.span.kind"))
    if type(kind) is str and kind:
        return kind.upper() in ("LLM", "EMBEDDING")
    return any(name in attributes for name in _MARKS)


def _endpoint(operation: Any, attributes: Row) -> str:
    if attributes.get("openinference.span.kind") == "EMBEDDING":
        return "embeddings"
    return endpoint_of(attributes.get("url.path", attributes.get("http.route"))) or endpoint_of(operation) or "chat"


def _first(attributes: Row, names: tuple[str, ...]) -> Any:
    for name in names:
        value = attributes.get(name)
        if value is not None:
            return value
    return None


def _read_figures(attributes: Row, fields: Fields) -> None:
    model = _first(attributes, _MODELS)
    if type(model) is str:
        fields["model"] = model
    for name, names in (("tokens_in", _TOKENS_IN), ("tokens_out", _TOKENS_OUT)):
        count = count_of(_first(attributes, names))
        if count >= 0:
            fields[name] = count
    finish = finish_of(parsed(_first(attributes, _FINISHES)))
    if finish:
        fields["finish"] = finish
    if attributes.get("error.type"):
        fields["finish"] = "error"
        code = count_of(attributes.get("http.response.status_code", attributes["error.type"]))
        fields["status"] = code if 100 <= code <= 599 else 500
    given = {name[15:]: value for name, value in attributes.items() if name.startswith("gen_ai.request.")}
    invocation = parsed(attributes.get("llm.invocation_parameters"))
    read_parameters({**invocation, **given} if type(invocation) is dict else given, fields)


def _who(row: Row, attributes: Row) -> Found:
    """The span's own attributes come first, then its resource's; times are the span's alone."""
    found = identify(attributes)
    resource = row.get("resource")
    shared = attributes_of(resource.get("attributes")) if type(resource) is dict else {}
    for source in (identify(shared) if shared else {}, identify(parsed(attributes.get("metadata")) or {})):
        for slot, value in source.items():
            found.setdefault(slot, value)
    for slot in ("time", "end", "status", "latency", "endpoint", "model"):
        found.pop(slot, None)
    found["time"], found["end"] = start_of(row), end_of(row)
    if found["end"] is None:
        del found["end"]
    context = row.get("context")
    trace = row.get("traceId", row.get("trace_id", context.get("trace_id") if type(context) is dict else None))
    if "session" not in found and type(trace) is str:
        found["session"] = trace
    return found
