"""Traces and address tables are reduced to what they say, whatever surrounds it."""

from stillwatch.lab.traffic.reduction import client_hours, consumer_ranges, hour_counts, person_gaps


def said(conv: str, sender: str, second: int) -> dict[str, str]:
    stamp = f"2018-05-02T19:{second // 60:02d}:{second % 60:02d}Z"
    return {"conv": conv, "sender": sender, "timestamp": stamp}


def test_a_pause_runs_from_the_other_side_to_the_first_answer_in_the_same_chat() -> None:
    rows = []
    for chat in range(10):
        rows += [said(str(chat), "a", 0), said(str(chat), "b", 7), said(str(chat), "b", 9), said(str(chat), "a", 30)]
    gaps = [row["gaps"] for row in person_gaps(rows)]
    assert gaps == [[21] * 24, [7] * 24]  # what b adds to itself, and what starts a chat, is no pause


def test_people_with_few_turns_are_left_out() -> None:
    assert person_gaps([said("x", "a", 0), said("x", "b", 5)]) == []


def test_hours_count_every_message() -> None:
    counts = hour_counts([said("x", "a", 0)] * 3)[0]["counts"]
    assert counts[19] == 3 and sum(counts) == 3


def test_client_rates_are_means_over_the_hour_of_clients_that_last() -> None:
    def window(client: str, start: int, rate: float) -> dict[str, str]:
        return {"category": "language", "model": "m", "client": client, "start_s": str(start), "rate_per_s": str(rate)}

    rows = [window("long", 3600 * hour + 600 * part, 0.6) for hour in range(200) for part in range(6)]
    rates = [row["rates"] for row in client_hours([*rows, window("short", 0, 9.0)])]
    assert rates == [[0.6] * 200 + [0.0] * 136]


def test_consumer_ranges_hold_only_the_named_providers_widest_first() -> None:
    table = [
        {"asn": "7", "start": "10.0.0.0", "end": "10.0.0.255"},
        {"asn": "7", "start": "10.1.0.0", "end": "10.1.255.255"},
        {"asn": "8", "start": "10.2.0.0", "end": "10.2.0.255"},
    ]
    ranges = consumer_ranges(table, [{"asn": "7"}])
    assert [(row["asn"], row["count"]) for row in ranges] == [(7, 65_536), (7, 256)]
