"""The SQL of every question detection asks; nothing here runs it.

In: windows, kinds, table names. Out: query text. Numbers are written into it, strings never.
Cost: shared anchors of 10^6 events, about a second. Almost every anchor has one holder, so keys are
first thinned by `min(holder) != max(holder)`, which needs little state a key, and only what is left
is counted exactly; where there are many keys both run in passes over `key % passes`.
"""

from stillwatch.store.columns import event_columns
from stillwatch.store.keys import key_expression
from stillwatch.store.schema import BUCKET
from stillwatch.terms.event import ADDRESS_KINDS, ASKS
from stillwatch.terms.ports import MOST_COMMON_FIELDS, SECONDS_PER_DAY, SharedQuery, Window

_HOLDER = "if(`organisation` != 0, `organisation`, `account`)"
_PAIR_HOLDER = "if(max(`organisation`) != 0, max(`organisation`), `account`)"


def within(window: Window, last_ingest: int) -> str:
    """Return the condition that an event lies in the window and in a whole ingest."""
    parts = [f"`epoch` = {int(window.epoch)}", f"`ingest` <= {int(last_ingest)}"]
    parts.append(f"`time` >= {_number(window.start)} AND `time` < {_number(window.end)}")
    if window.fold is not None:
        parts.append(f"positiveModulo({_block(window.block_seconds)}, 2) = {int(window.fold)}")
    return " AND ".join(parts)


def shared_keys(query: SharedQuery, kind: str, where: str, part: str = "") -> str:
    """Return the query for one kind of key; `part`, a condition on `x`, narrows it to some of the keys."""
    least = query.min_requests_per_account
    keyed = _keyed(kind, where, part)
    narrow = "1"
    if query.min_accounts > 1:
        narrow = (
            f"`key` IN (SELECT `key` FROM {keyed} GROUP BY `key` "
            f"HAVING min(`holder`) != max(`holder`) AND count() >= {query.min_accounts * least})"
        )
    return _counted(keyed, narrow, least) + (
        f" HAVING `holders` BETWEEN {int(query.min_accounts)} AND {int(query.max_accounts)} ORDER BY `key`"
    )


def popularity(kind: str, where: str, scratch: str) -> str:
    """Return the query for the counts of the keys that stand in the table `scratch`."""
    return _counted(_keyed(kind, where), f"`key` IN (SELECT `key` FROM {scratch})", 1) + " ORDER BY `key`"


def carriers(kind: str, where: str, scratch: str) -> str:
    """Return the query for who carried the keys that stand in the table `scratch`."""
    return (
        f"SELECT `key`, `account`, {_PAIR_HOLDER} AS `holder`, count() AS `requests`, "
        "uniqExact(`content`) AS `contents`, min(`time`) AS `first`, max(`time`) AS `last` "
        f"FROM {_keyed(kind, where)} WHERE `key` IN (SELECT `key` FROM {scratch}) "
        "GROUP BY `key`, `account` ORDER BY `key`, `account`"
    )


def events(where: str, scratch: str) -> str:
    """Return the query for all events of the accounts that stand in the table `scratch`."""
    columns = ", ".join(f"`{name}`" for name in event_columns())
    return (
        f"SELECT {columns} FROM events WHERE `account` IN (SELECT `key` FROM {scratch}) AND {where} "
        "ORDER BY `time`, `account`, `event_id`"
    )


def totals(where: str, block_seconds: float) -> str:
    """Return the query for what is added up or counted per account."""
    asks = ", ".join(f"countIf(bitTest(`asks`, {bit})) AS `asks_{bit}`" for bit in range(len(ASKS)))
    unsaid_left_out = ", ".join(
        f"uniqExactIf(`{name}`, `{name}` != 0) AS `n_{name}s`" for name in ("content", "skeleton", "network")
    )
    return (
        "SELECT `account`, count() AS `n_requests`, min(`time`) AS `first`, max(`time`) AS `last`, "
        "sum(greatest(toInt64(e.`tokens_in`), 0)) AS `tokens_in`, "
        "sum(greatest(toInt64(e.`tokens_out`), 0)) AS `tokens_out`, "
        f"uniqExact({_block(SECONDS_PER_DAY)}) AS `n_days`, uniqExact({_block(block_seconds)}) AS `n_blocks`, "
        f"{unsaid_left_out}, countIf(`turns` <= 1) AS `single_turn`, "
        f"countIf(`address_kind` = {ADDRESS_KINDS.index('datacentre')}) AS `datacentre`, {asks} "
        f"FROM events AS e WHERE {where} GROUP BY `account` ORDER BY `account`"
    )


def most_common(field: str, where: str) -> str:
    """Return the query for the value of `field` that most requests of each account carried."""
    if field not in MOST_COMMON_FIELDS:
        raise ValueError(f"field {field!r}: must be one of {', '.join(MOST_COMMON_FIELDS)}")
    return (
        "SELECT `account`, argMax(`value`, (`n`, `value`)) AS `value` FROM "
        f"(SELECT `account`, `{field}` AS `value`, count() AS `n` FROM events "
        f"WHERE {where} AND `{field}` != 0 GROUP BY `account`, `value`) GROUP BY `account`"
    )


def repeated(where: str, scratch: str) -> str:
    """Return the query for the events, already held, whose id stands in the table `scratch`."""
    return (
        f"SELECT `epoch`, {BUCKET} AS `bucket`, `event_id` FROM events "
        f"WHERE {where} AND `event_id` IN (SELECT `key` FROM {scratch})"
    )


def _keyed(kind: str, where: str, part: str = "") -> str:
    """Return a subquery with one row for each key that an event carries, unsaid keys left out."""
    return (
        f"(SELECT {key_expression(kind, part)} AS `key`, `account`, `organisation`, {_HOLDER} AS `holder`, "
        f"`time`, `content` FROM events WHERE {where})"
    )


def _counted(keyed: str, narrow: str, least: int) -> str:
    """Return a query that counts accounts, holders and requests of each key, up to its GROUP BY."""
    enough = f" HAVING uniqExact(`content`) >= {int(least)}" if least > 1 else ""
    return (
        "SELECT `key`, count() AS `accounts`, uniqExact(`who`) AS `holders`, sum(`n`) AS `requests` FROM "
        f"(SELECT `key`, `account`, {_PAIR_HOLDER} AS `who`, count() AS `n` FROM {keyed} "
        f"WHERE {narrow} GROUP BY `key`, `account`{enough}) GROUP BY `key`"
    )


def _block(seconds: float) -> str:
    return f"toInt64(floor(`time` / {_number(seconds)}))"


def _number(value: float) -> str:
    return repr(float(value))
