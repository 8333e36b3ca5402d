"""Small runs of what `bench.coalition` measures: lies refuse nobody, and one key tests no guess."""

import pytest

from bench.coalition import leak, poison


@pytest.mark.parametrize("sneaky", [False, True])
def test_three_of_eight_members_who_collude_refuse_no_honest_account_beyond_local_alarms(
    sneaky: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poison, "HONEST", 1_000)
    total = poison.run(1, 3, sneaky=sneaky)
    for rule in ("ours", "believed"):
        assert total[rule]["honest refuse"] == total["alarms"]["local"]
        reached = sum(n for name, n in total[rule].items() if name.startswith("campaign") and "allow" not in name)
        assert reached > 0.8 * sum(n for name, n in total[rule].items() if name.startswith("campaign"))
    assert (
        total["union"]["honest refuse"] > 3 * total["alarms"]["local"]
    )  # the control: lies do refuse under such a rule


def test_with_one_key_no_planted_value_is_recovered_and_with_a_shared_or_both_all_are() -> None:
    world = leak.World(3, 2_000)
    assert [leak.attack(world, name, 0, 2_000) for name in leak.ATTACKERS] == [0, 0]
    assert set(leak.controls(world).values()) == {leak.PLANTED}
