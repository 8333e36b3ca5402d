"""Spans as OpenTelemetry writes them, flattened to plain dictionaries.

In: OTLP JSON documents (traces and logs), or spans as exporters dump them. Out: `Span` rows: attributes with
plain values, the resource's own beneath them, events, start and end.
Cost: a few microseconds a span and one an attribute. Left to `otel`: what the attributes mean.
Source: the OTLP specification's JSON mapping.
"""

from collections.abc import Iterator
from typing import Any

from stillwatch.logs.importer import Row

_VALUES = ("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue")


def value_of(typed: Any) -> Any:
    """Return the plain value of an OTLP `AnyValue`; a value that is plain already is returned as it is.

    >>> value_of({"intValue": "7"}), value_of({"arrayValue": {"values": [{"stringValue": "a"}]}})
    (7, ['a'])
    """
    if type(typed) is not dict:
        return typed
    for name in _VALUES:
        if name in typed:
            value = typed[name]
            return int(value) if name == "intValue" and type(value) is str and value.lstrip("-").isdigit() else value
    if "arrayValue" in typed:
        values = typed["arrayValue"].get("values") if type(typed["arrayValue"]) is dict else None
        return [value_of(item) for item in values] if type(values) is list else []
    if "kvlistValue" in typed:
        pairs = typed["kvlistValue"].get("values") if type(typed["kvlistValue"]) is dict else None
        return attributes_of(pairs)
    return typed


def attributes_of(source: Any) -> Row:
    """Return attributes as a flat dictionary, from a list of key and value or from an object."""
    if type(source) is dict:
        return source
    out: Row = {}
    for item in source if type(source) is list else ():
        if type(item) is dict and type(item.get("key")) is str:
            out[item["key"]] = value_of(item.get("value"))
    return out


def is_document(row: Row) -> bool:
    """Return whether the row is an OTLP document of traces or logs."""
    return type(row.get("resourceSpans", row.get("resourceLogs"))) is list or type(row.get("resource_spans")) is list


def spans_in(row: Row) -> Iterator[Row]:
    """Yield the spans of an OTLP document, each with its resource's attributes under `resource`."""
    for group in _dicts(row.get("resourceSpans", row.get("resource_spans", row.get("resourceLogs")))):
        resource = group.get("resource")
        shared = attributes_of(resource.get("attributes")) if type(resource) is dict else {}
        scopes = group.get("scopeSpans", group.get("scope_spans", group.get("scopeLogs")))
        if scopes is None:
            scopes = group.get("instrumentationLibrarySpans")
        for scope in _dicts(scopes):
            for span in _dicts(scope.get("spans", scope.get("logRecords"))):
                yield {**span, "resource": {"attributes": shared}}


def _dicts(source: Any) -> Iterator[Row]:
    for item in source if type(source) is list else ():
        if type(item) is dict:
            yield item


def start_of(span: Row) -> Any:
    """Return when the span began, as written."""
    return _time(
        span, "startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime", "timeUnixNano", "Timestamp"
    )


def end_of(span: Row) -> Any:
    """Return when the span ended, as written."""
    return _time(span, "endTimeUnixNano", "end_time_unix_nano", "end_time", "endTime")


def _time(span: Row, *names: str) -> Any:
    for name in names:
        value = span.get(name)
        if value is not None and value != 0 and value != "0":
            return value
    return None
