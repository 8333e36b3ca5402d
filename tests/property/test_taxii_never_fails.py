"""Whatever is sent to the hub, it answers, never with a fault of its own, and shows nothing of what was sent."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.exchange.taxii.limits import Limits
from tests.taxii_rig import FULL, OPEN, TAXII, WARNINGS, Rig, indicator, rig

PARTS = st.sampled_from(
    ["first", "second", "taxii2", "collections", "objects", "manifest", "versions", "status", "blobs", FULL, OPEN,
    WARNINGS,
     "open", indicator(1)["id"], "0" * 64, "..", "%00", "%F0%9F%98%80", "%ff", "%2F", "x" * 300, ""]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "added_after",
        "limit",
        "next",
        "match[id]",
        "match[type]",
        "match[version]",
        "match[spec_version]",
        "match[x]",
        "",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=20), st.integers(-5, 10**30).map(str),
    st.sampled_from(["all", "last", "first", "2020-01-01T00:00:00Z", "9999-12-31T23:59:60.999999Z",
    "0001-01-01T00:00:00Z"]),
)  # fmt: skip
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)  # fmt: skip
FIELDS = st.sampled_from(
    [*indicator(1), "extensions", "object_marking_refs", "created_by_ref", "revoked", "valid_until", "x"]
)


@st.composite
def altered(draw: st.DrawFn) -> dict[str, Any]:
    """An object with one or two fields replaced by anything."""
    return {**indicator(draw(st.integers(0, 3))), **draw(st.dictionaries(FIELDS, JSON, min_size=1, max_size=2))}


BODIES = st.one_of(
    st.none(), st.binary(max_size=40), JSON.map(lambda v: json.dumps(v).encode()),
    st.lists(altered(), min_size=1, max_size=3).map(lambda v: json.dumps({"objects": v}).encode()),
)  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("hub"), Limits(requests_per_minute=10**9, objects_per_day=10**9)) as made:
        yield made


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH"]),
    parts=st.lists(PARTS, max_size=6), query=st.lists(st.tuples(NAMES, TEXTS), max_size=3),
    key=st.sampled_from(["key-full", "key-acme", "key-other", "key-nobody"]),
    kind=st.sampled_from([TAXII, "application/octet-stream", "text/plain"]), body=BODIES,
)  # fmt: skip
def test_the_hub_never_fails(
    hub: Rig, method: str, parts: list[str], query: list[tuple[str, str]], key: str, kind: str, body: bytes | None
) -> None:
    from urllib.parse import quote

    path = "/" + "/".join(parts) + "?" + "&".join(f"{quote(n)}={quote(v, errors='replace')}" for n, v in query)
    response = hub.ask(method, path, body, key=key, **({"Content_Type": kind} if body is not None else {}))
    assert response.status_code < 500, response.text
    if response.status_code >= 400 and method != "HEAD":
        told = response.json()
        assert told["http_status"] == str(response.status_code) and key not in response.text
    assert hub.told == []


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(altered(), min_size=1, max_size=3), shared=st.booleans())
def test_every_object_of_an_addition_is_a_success_or_a_failure(
    hub: Rig, items: list[dict[str, Any]], shared: bool
) -> None:
    path = f"/second/collections/{WARNINGS}/objects/" if shared else f"/first/collections/{OPEN}/objects/"
    response = hub.ask("POST", path, json.dumps({"objects": items}).encode(), key="key-acme" if shared else "key-full")
    if response.status_code == 400:  # NaN and Infinity are no JSON
        assert "NaN" in json.dumps(items) or "Infinity" in json.dumps(items)
        return
    status = response.json()
    assert response.status_code == 202 and status["success_count"] + status["failure_count"] == len(items)
    if shared:
        assert status["success_count"] == 0  # none of these is a warning
    assert hub.ask("GET", path, key="key-acme" if shared else "key-full").status_code == 200
