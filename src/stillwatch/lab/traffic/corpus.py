"""The corpus: real texts, timings and network identities, read once and shared by every composition.

In: the packaged sample, or a data folder given by the caller. Out: one frozen `Corpus`.
Cost: 1 s for the sample, some 8 s for the full folder. Left to `sources`: reading files; to
`habits` and `campaign`: what is made of them.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stillwatch.lab.traffic.pools import is_free, is_medical, job_pools, task_pools
from stillwatch.lab.traffic.sources import FolderSources, PackagedSources, Row, Sources
from stillwatch.lab.traffic.topics import topics

FOREIGN_ROWS: Final = "sharegpt_answers"
"""Source of sessions held with another model; the packaged sample has none."""

TURN_CHARS: Final = 4000
"""A longer turn is cut here, so that no single paste decides the size of a log."""
SESSION_TURNS: Final = 14
REPLY_CHARS: Final = 1600


@dataclass(frozen=True, slots=True)
class Session:
    """One organic conversation: what its person wrote, and how long each reply was."""

    turns: tuple[str, ...]
    reply_chars: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Sessions that are copies of one another; they stay on one account."""

    sessions: tuple[Session, ...]
    topic: int


@dataclass(frozen=True, slots=True)
class AgentSession:
    """One agent session: its tools as JSON, and its turns as (role, text)."""

    tools: str
    turns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work that a campaign collects: its text, and slots that some presets name."""

    text: str
    slots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Everything a composition draws from; texts stay in memory."""

    name: str
    bundles: tuple[Bundle, ...]
    near: tuple[tuple[int, ...], ...]
    """Topic -> all topics, nearest first."""
    tasks: Mapping[str, tuple[Task, ...]]
    """Campaign preset -> its work; `seeds` and `generation` feed bootstrapping."""
    jobs: Mapping[str, tuple[str, ...]]
    """Real customer template -> ready prompts."""
    pools: Mapping[str, tuple[str, ...]]
    """Texts that templates of our own wording are applied to, by kind."""
    agents: tuple[AgentSession, ...]
    foreign: tuple[tuple[tuple[str, str], ...], ...]
    """Sessions of another model's users with their answers, as (role, text)."""
    roles: tuple[tuple[str, ...], tuple[str, ...]]
    """Roles of the asking and of the answering side."""
    words: tuple[str, ...]
    """Words of the corpus with their frequency, from which replies are made."""
    gaps: tuple[tuple[int, ...], ...]
    """Person -> quantiles of the pause before a turn, seconds."""
    hours: tuple[int, ...]
    """Messages in each hour of the day, UTC of the source."""
    client_rates: tuple[tuple[float, ...], ...]
    """API client -> requests a second in each hour of 14 days."""
    consumer: tuple[tuple[int, int], ...]
    """Address ranges of homes: first address, count."""
    consumer_asns: tuple[int, ...]
    """AS number of each range."""
    datacentre: tuple[str, ...]
    vpn: tuple[str, ...]
    browsers: tuple[tuple[str, float], ...]
    """User agent, weight."""
    sdks: tuple[str, ...]
    ja4: tuple[tuple[str, str], ...]
    """Client, JA4."""


def load_corpus(folder: Path | None = None) -> Corpus:
    """Return the corpus in `folder`, or the packaged sample.

    Args:
        folder: A data folder of the layout that docs/reference/traffic.md describes; None for the sample.

    Raises:
        StillwatchError: `folder` does not have that layout.
    """
    sources: Sources = PackagedSources() if folder is None else FolderSources(folder)
    grouped = _grouped(_organic(sources))
    labels, near = topics([_gist(group) for group in grouped], n_topics=max(8, len(grouped) // 40))
    ranges = sources.rows("consumer")
    gaps, hours = sources.rows("gaps"), sources.rows("hours")
    return Corpus(
        name=sources.name,
        bundles=tuple(Bundle(tuple(group), topic) for group, topic in zip(grouped, labels, strict=True)),
        near=tuple(tuple(line) for line in near),
        tasks={preset: tuple(Task(*entry) for entry in entries) for preset, entries in task_pools(sources).items()},
        jobs=_jobs(sources),
        pools=job_pools(sources),
        agents=tuple(_agent(row) for row in _fleet_rows(sources)),
        foreign=tuple(_foreign(sources)),
        roles=_roles(sources),
        words=_words(grouped),
        gaps=tuple(tuple(row["gaps"]) for row in gaps),
        hours=tuple(hours[0]["counts"]),
        client_rates=tuple(tuple(row["rates"]) for row in sources.rows("client_rates")),
        consumer=tuple((row["first"], row["count"]) for row in ranges),
        consumer_asns=tuple(row["asn"] for row in ranges),
        datacentre=tuple(_networks(sources.rows("datacentre"), longest=22)),
        vpn=tuple(_networks(sources.rows("vpn"), longest=26)),
        browsers=tuple((row["userAgent"], float(row["weight"])) for row in sources.rows("browsers")),
        sdks=tuple(row["user_agent_pattern"] for row in sources.rows("sdks")),
        ja4=tuple((row["application"] or row["library"], row["ja4"]) for row in sources.rows("ja4")),
    )


def _gist(group: list[Session]) -> str:
    return " ".join(group[0].turns[:2])


def _session(turns: Iterable[tuple[str, int | None]]) -> Session:
    kept = [(text.strip()[:TURN_CHARS], chars) for text, chars in turns if text.strip()][:SESSION_TURNS]
    return Session(tuple(text for text, _ in kept), tuple(min(chars or 0, REPLY_CHARS) for _, chars in kept))


def _organic(sources: Sources) -> Iterable[tuple[str, Session]]:
    """Yield every organic session with the key that joins its copies."""
    for row in sources.rows("sharegpt"):
        yield row["cluster"], _session((turn["text"], turn["reply_chars"]) for turn in row["turns"])
    for row in sources.rows("oasst"):
        yield row["turns"][0], _session((text, None) for text in row["turns"])
    for row in sources.rows("koala_arena"):
        yield row["prompt"], _session([(row["prompt"], None)])
    for row in sources.rows("instructwild"):
        yield row["instruction"], _session([(row["instruction"], None)])
    for row in sources.rows("dolly"):
        text = f"{row['instruction']}\n\n{row['input']}" if row["input"] else row["instruction"]
        yield row["instruction"], _session([(text, len(row["output"]))])
    if sources.name == PackagedSources.name:
        for row in sources.rows("mmlu"):
            if is_free(row["question"]) and not is_medical(row["subject"]):
                yield row["question"], _session([(row["question"], None)])


def _grouped(sessions: Iterable[tuple[str, Session]]) -> list[list[Session]]:
    groups: dict[str, list[Session]] = {}
    for key, session in sessions:
        if session.turns:
            groups.setdefault(key.strip().lower(), []).append(session)
    return list(groups.values())


def _jobs(sources: Sources) -> dict[str, tuple[str, ...]]:
    jobs: dict[str, list[str]] = {}
    for row in sources.rows("batch_jobs"):
        jobs.setdefault(row["template"], []).append(row["prompt"])
    return {template: tuple(prompts) for template, prompts in jobs.items() if len(prompts) >= 20}


_AGENT_ROLES: Final = {"human": "user", "gpt": "assistant", "function_call": "assistant", "observation": "tool"}


def _agent(row: dict[str, Any]) -> AgentSession:
    turns = tuple((_AGENT_ROLES[turn["from"]], turn["value"][:TURN_CHARS]) for turn in row["conversations"])
    declared = json.loads(row["tools"] or "[]")
    tools = [{"type": "function", "function": tool} for tool in declared]
    text = json.dumps(tools, sort_keys=True, separators=(",", ":"), ensure_ascii=False) if tools else ""
    return AgentSession(text, turns)


def _fleet_rows(sources: Sources) -> list[Row]:
    """Return the agent sessions that fleets hold: half of them where replay has to live off the others."""
    rows = list(sources.rows("agents"))
    return rows if sources.rows(FOREIGN_ROWS) else rows[::2]


def _foreign(sources: Sources) -> Iterable[tuple[tuple[str, str], ...]]:
    """Yield sessions with another model's answers, once up to each person's turn after the first answer."""
    for row in sources.rows(FOREIGN_ROWS) or sources.rows("agents")[1::2]:
        turns: list[tuple[str, str]] = []
        for turn in row["conversations"]:
            role = {"human": "user", "gpt": "assistant"}.get(turn["from"])
            if role and turn["value"].strip() and (turns or role == "user"):
                turns.append((role, turn["value"].strip()[: TURN_CHARS // 2]))
        for end in range(2, min(len(turns), SESSION_TURNS)):
            if turns[end][0] == "user":
                yield tuple(turns[: end + 1])


def _roles(sources: Sources) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rows = sources.rows("camel")
    return (
        tuple(row["role"] for row in rows if row["side"] == "user"),
        tuple(row["role"] for row in rows if row["side"] != "user"),
    )


_WORD: Final = re.compile(r"[A-Za-z][A-Za-z'\-]*[,.]?")


def _words(groups: list[list[Session]]) -> tuple[str, ...]:
    words: list[str] = []
    for group in groups:
        words.extend(_WORD.findall(group[0].turns[0][:400]))
        if len(words) > 120_000:
            break
    return tuple(words)


def _networks(rows: list[dict[str, Any]], *, longest: int) -> Iterable[str]:
    """Yield IPv4 networks wide enough to draw /24s from."""
    for row in rows:
        if int(row["cidr"].rpartition("/")[2]) <= longest:
            yield row["cidr"]
