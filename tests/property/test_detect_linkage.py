"""Linkage against what was planted, and against a second route written as plain loops over sets."""

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.linkage import Links, link_keys, members_of

Carried = dict[int, dict[int, int]]
"""Key -> holder -> different contents."""


@st.composite
def carried(draw: st.DrawFn) -> tuple[Carried, int]:
    n_holders = draw(st.integers(6, 40))
    blocks = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    table: Carried = {}
    for key in range(draw(st.integers(1, 14))):
        block = np.flatnonzero(np.arange(n_holders) % (blocks + 1) == key % (blocks + 1))
        often = rng.random(len(block)) < rng.choice([0.5, 0.8, 1.0])
        stray = rng.random(n_holders) < rng.choice([0.0, 0.05, 0.3])
        holders = set(block[often].tolist()) | set(np.flatnonzero(stray).tolist())
        if holders:
            table[len(table)] = {holder: int(rng.integers(1, 4)) for holder in sorted(holders)}
    return table, n_holders


def links_of(table: Carried, n_holders: int) -> Links:
    rows = [(key, holder, n) for key, holders in table.items() for holder, n in holders.items()]
    key, holder, contents = np.array(rows, np.int64).reshape(-1, 3).T
    return Links(key, holder, contents, len(table), n_holders)


def together(table: Carried) -> list[set[int]]:
    """Return sets of keys connected through common holders, by plain search: the widest any group may be."""
    left, out = set(table), []
    while left:
        inside, front = set(), {left.pop()}
        while front:
            key = front.pop()
            inside.add(key)
            near = {other for other in left if table[key].keys() & table[other].keys()}
            left -= near
            front |= near
        out.append(inside)
    return out


@given(carried())
def test_groups_part_the_keys_and_join_only_what_holders_connect(world: tuple[Carried, int]) -> None:
    table, n_holders = world
    groups = [set(group.tolist()) for group in link_keys(links_of(table, n_holders))]
    assert sorted(key for group in groups for key in group) == sorted(table)
    assert all(any(group <= whole for whole in together(table)) for group in groups)
    home = {key: number for number, group in enumerate(groups) for key in group}
    for one, other in combinations(table, 2):
        if table[one].keys() == table[other].keys():
            assert home[one] == home[other]


@given(st.lists(st.tuples(st.integers(8, 30), st.integers(2, 8)), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_planted_blocks_come_out_as_planted_and_a_popular_key_joins_none(
    blocks: list[tuple[int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    table: Carried = {}
    planted, first = [], 0
    for holders, n_keys in blocks:
        mine = list(range(len(table), len(table) + n_keys))
        planted.append(frozenset(mine))
        for key in mine:
            without = {first + int(rng.integers(holders))} if rng.random() < 0.5 else set()
            table[key] = {h: int(rng.integers(1, 4)) for h in range(first, first + holders) if h not in without}
        first += holders
    n_holders = first + 200
    popular = len(table)
    table[popular] = {h: 1 for h in range(0, n_holders, 2)}
    groups = {frozenset(group.tolist()) for group in link_keys(links_of(table, n_holders))}
    assert groups == {*planted, frozenset([popular])}


@given(carried(), st.integers(2, 6))
def test_members_carry_two_keys_or_one_in_two_requests(world: tuple[Carried, int], least: int) -> None:
    table, n_holders = world
    links = links_of(table, n_holders)
    for group in link_keys(links):
        keys = group.tolist()
        wanted = [
            holder
            for holder in range(n_holders)
            if sum(holder in table[key] for key in keys) >= 2 or max(table[key].get(holder, 0) for key in keys) >= 2
        ]
        expected = wanted if len(wanted) >= least else []
        assert members_of(links, group, min_holders=least).tolist() == expected


@given(carried(), st.randoms(use_true_random=False))
def test_the_order_of_the_links_does_not_matter(world: tuple[Carried, int], random: object) -> None:
    links = links_of(*world)
    order = np.random.default_rng(random.getrandbits(32)).permutation(len(links.key))  # type: ignore[attr-defined]
    mixed = Links(links.key[order], links.holder[order], links.contents[order], links.n_keys, links.n_holders)
    assert {frozenset(g.tolist()) for g in link_keys(mixed)} == {frozenset(g.tolist()) for g in link_keys(links)}


def test_nothing_shared_gives_no_groups() -> None:
    nothing = np.zeros(0, np.int64)
    assert link_keys(Links(nothing, nothing, nothing, 0, 5)) == []
