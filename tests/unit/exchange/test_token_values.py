"""One thing has one spelling at every member; what many share, or must not be shown, is no value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.exchange.notary.values import address, device, payment
from stillwatch.terms.errors import StillwatchError

SAME = [
    (payment, "iban:DE89370400440532013000", ["IBAN:de89 3704 0044 0532 0130 00", " iban: DE89370400440532013000 "]),
    (payment, "card:424242-4242-0730", ["card:42424242-4242-0730", "CARD:424242-4242-0730"]),
    (payment, "email:pay@example.com", ["email:Pay@Example.COM"]),
    (payment, "wallet:0xde709f2102306220921060314715629080e2fb77",
     ["wallet:0xDE709F2102306220921060314715629080E2FB77"]),
    (payment, "wallet:1BoatSLRHtKNngkdXEeobR76b53LETtpyT", ["Wallet:1BoatSLRHtKNngkdXEeobR76b53LETtpyT"]),
    (payment, "opaque:fp_9aX", ["fp_9aX", " fp_9aX\n", "opaque:fp_9aX"]),
    (payment, "opaque:caf\u00e9-1", ["cafe\u0301-1"]),
    (device, "ab12cd34ef", ["AB12CD34EF"]),
    (device, "Pixel-7f3a-Q9", [" Pixel-7f3a-Q9 "]),
    (address, "9.9.9.9", ["9.9.9.9:443", "::ffff:9.9.9.9", "9.9.9.9, 10.0.0.1"]),
    (address, "2620:fe:0:0::/64", ["2620:FE::9", "[2620:fe::1]:443", "2620:00fe:0000:0000:aaaa::1%eth0"]),
]  # fmt: skip


@pytest.mark.parametrize(("make", "canonical", "spellings"), SAME)
def test_every_spelling_of_one_thing_is_one_value(make, canonical, spellings) -> None:  # type: ignore[no-untyped-def]
    for text in (canonical, *spellings):
        if make is address and "/" in text:
            continue
        assert make(text).value == canonical.encode()


@pytest.mark.parametrize("text", [
    "", " ", "iban:DE89370400440532013001", "iban:XX", "card:4242", "card:424242-4242-1330", "email:nobody",
    "4242424242424242", "4242 4242 4242 4242", "opaque:4242-4242-4242-4242", "card:4242424242424242", "a\x00b",
    "wallet:4242424242424242", "x" * 600, "\ud800",
])  # fmt: skip
def test_what_is_no_means_of_payment_or_a_whole_card_number_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(StillwatchError) as caught:
        payment(text)
    digits = "".join(c for c in text if c.isdigit())
    assert not digits or digits not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "home", "10.0.0.1", "127.0.0.1", "192.0.2.1", "fe80::1", "2001:db8::1", "999.1.1.1"]
)
def test_an_address_that_is_nobodys_in_public_is_refused(text: str) -> None:
    with pytest.raises(StillwatchError):
        address(text)


@pytest.mark.parametrize("text", ["", "chrome", "x" * 600, "tab\tbed-long"])
def test_what_many_share_is_no_device(text: str) -> None:
    with pytest.raises(StillwatchError):
        device(text)


@given(st.sampled_from([payment, device, address]), st.text(max_size=60))
def test_a_value_is_canonical_or_refused_and_stays_what_it_is(make, text: str) -> None:  # type: ignore[no-untyped-def]
    try:
        one = make(text)
    except StillwatchError:
        return
    assert text not in repr(one) or len(text) < 8 or text in one.kind
    if make is not address:
        assert make(one.value.decode()).value == one.value
