"""Every name that a log field is known by: data, and the look-up over it.

In: a field name in any spelling. Out: the slot it fills, and how strongly.
Cost: one cached look-up a name. Left to `identity`: choosing among several that fill one slot.
Names are compared in snake case with `-`, `.`, `@` and blanks folded, so that `startTime`, `start-time`
and `start.time` are one name.
"""

import re
from functools import lru_cache

STRONG: dict[str, str] = {
    "account": "user_api_key_user_id user_id userid enduser_id uid usr user account_id accountid account customer_id "
    "customerid customer user_uuid account_uuid username user_name subscriber_id member_id client_id clientid "
    "consumer_id consumer login user_external_id external_user_id",
    "end_user": "user_api_key_end_user_id end_user_id end_user safety_identifier",
    "key": "user_api_key_hash api_key_hash key_hash hashed_api_key hashed_key apikey_hash token_hash api_key_id "
    "apikey_id key_id keyid access_key_id api_key apikey user_api_key x_api_key authorization virtual_key",
    "organisation": "user_api_key_org_id org_id organization_id organisation_id orgid organization organisation org "
    "openai_organization tenant_id tenant workspace_id workspace company_id company",
    "plan": "plan tier plan_name plan_id pricing_plan billing_plan account_tier user_tier subscription_tier "
    "account_plan subscription subscription_plan pricing_tier",
    "address": "client_ip ip ip_address remote_addr requester_ip_address client_address remote_ip source_ip src_ip "
    "user_ip caller_ip clientip ipaddress client_ip_address remote_address http_client_ip source_address "
    "net_sock_peer_addr cf_connecting_ip x_real_ip",
    "agent": "user_agent useragent user_agent_original http_user_agent client_user_agent ua",
    "tls": "ja4 tls_ja4 ja4_fingerprint tls_fingerprint tls_client_ja4 x_ja4 client_ja4",
    "payment": "payment_token payment_id payment payment_method_id payment_method payment_fingerprint "
    "card_fingerprint card_hash billing_id billing_account billing_account_id stripe_customer_id "
    "billing_customer_id payment_hash instrument_id",
    "session": "session_id sessionid session conversation_id gen_ai_conversation_id conversation thread_id chat_id "
    "conversationid dialogue_id dialog_id",
    "time": "start_time started_at request_start_time request_started_at requested_at request_timestamp "
    "received_at timestamp time ts created_at createdat created datetime date_time event_time logged_at "
    "occurred_at log_time start date when",
    "end": "end_time ended_at completed_at finished_at response_timestamp end",
    "latency_ms": "latency_ms duration_ms response_time_ms elapsed_ms response_ms took_ms total_ms latency_millis",
    "latency": "latency latency_s latency_seconds duration duration_s duration_seconds elapsed elapsed_seconds "
    "response_time request_time",
    "status": "status_code http_status http_status_code response_status response_code http_response_status_code",
    "tokens_in": "prompt_tokens input_tokens tokens_in prompt_token_count input_token_count n_prompt_tokens "
    "num_prompt_tokens request_tokens tokens_prompt",
    "tokens_out": "completion_tokens output_tokens tokens_out completion_token_count output_token_count "
    "n_completion_tokens num_completion_tokens response_tokens tokens_completion",
    "model": "model model_name model_id engine deployment",
    "finish": "finish_reason stop_reason finish",
    "endpoint": "endpoint url path route request_path uri call_type api_type",
}
"""Slot -> names that say it plainly, best first."""

WEAK: dict[str, str] = {
    "account": "user_email email user_api_key_user_email principal actor sub owner user_hash account_hash account_name",
    "key": "token key api_token key_name key_alias user_api_key_alias",
    "organisation": "user_api_key_team_id team_id team project_id group_id",
    "address": "x_forwarded_for forwarded_for network_peer_address net_peer_ip peer_ip address addr",
    "tls": "ja3 ja3_hash ja3_fingerprint tls_ja3",
    "session": "trace_id traceid correlation_id",
    "status": "status code",
}
"""Slot -> names that often say it; used where no plain name stands anywhere in the row."""

TEXTS: dict[str, str] = {
    "messages": "messages chat_messages conversation_messages turns dialogue chat",
    "prompt": "prompt user_prompt question query user_message instruction user_input prompt_text input_text "
    "request_text message q",
    "request": "request request_body body payload input request_json",
    "system": "system system_prompt system_message system_instruction instructions",
    "answer": "response output completion answer response_text output_text reply assistant_message model_output "
    "generated_text generation completion_text response_body assistant result a",
    "tools": "tools functions tool_schemas tool_definitions",
}
"""Slot -> names of columns that hold texts; only `plain` and `propose` go by them."""

PLACES = frozenset(
    "metadata meta identity context client headers request_headers user account customer http network "
    "requester_metadata requester_custom_headers attributes properties extra labels auth litellm_metadata "
    "user_api_key_auth connection organization organisation session payment billing tls request req "
    "proxy_server_request body params request_body requester kwargs litellm_params".split()
)
"""Objects inside a row in which identity may stand."""

INNER = frozenset("request req proxy_server_request body params request_body kwargs".split())
"""Places that the customer wrote: a `user` there names the customer's own user, not the account."""

PREFIXES = (
    "metadata_",
    "langfuse_",
    "traceloop_association_properties_",
    "http_request_header_",
    "gen_ai_request_",
    "gen_ai_",
    "llm_",
    "request_",
    "client_",
    "x_",
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FOLD = re.compile(r"[^a-z0-9]+")


def _ranked() -> dict[str, tuple[str, int]]:
    table: dict[str, tuple[str, int]] = {}
    for base, slots in ((0, STRONG), (1000, WEAK)):
        for slot, names in slots.items():
            for rank, name in enumerate(names.split()):
                table.setdefault(name, (slot, base + rank))
    return table


_TABLE = _ranked()
_TEXT_TABLE = {name: (slot, rank) for slot, names in TEXTS.items() for rank, name in enumerate(names.split())}


@lru_cache(maxsize=8192)
def fold(name: str) -> str:
    """Return `name` in the one spelling that the tables use.

    >>> fold("startTime"), fold("User-Agent"), fold("@timestamp")
    ('start_time', 'user_agent', 'timestamp')
    """
    return _FOLD.sub("_", _CAMEL.sub("_", name[:120]).lower()).strip("_")


@lru_cache(maxsize=8192)
def slot_of(name: str) -> tuple[str, int] | None:
    """Return the slot that a field name fills and its rank, 0 best, 1000 and above weak; None for no slot.

    >>> slot_of("client.address"), slot_of("colour")
    (('address', 5), None)
    """
    folded = fold(name)
    hit = _TABLE.get(folded)
    if hit is not None:
        return hit
    for prefix in PREFIXES:
        if folded.startswith(prefix):
            bare = _TABLE.get(folded[len(prefix) :])
            # A prefix such as `request_` changes what a weak word means: `request_code` is no status.
            return bare if bare is not None and bare[1] < 1000 and bare[0] not in _PLAIN_ONLY else None
    return None


_PLAIN_ONLY = frozenset({"time", "end", "status", "latency", "endpoint", "model"})


@lru_cache(maxsize=8192)
def text_slot_of(name: str) -> tuple[str, int] | None:
    """Return the text slot that a column name fills and its rank, or None."""
    return _TEXT_TABLE.get(fold(name))


@lru_cache(maxsize=8192)
def place_of(name: str) -> str:
    """Return the folded name where it is a place that may hold identity, else an empty string."""
    folded = fold(name)
    return folded if folded in PLACES else ""
