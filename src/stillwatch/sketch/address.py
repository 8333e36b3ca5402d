"""Client addresses: kind, AS number and the network that is kept in place of the address.

In: tables of ranges, addresses as written. Out: AS number (0 unknown), kind (index into
`terms.event.ADDRESS_KINDS`), and the /24 or /48 as text, to be hashed.
A list of data-centre, VPN or Tor ranges is never complete: an address in none of them is called
`consumer`, which means no more than that; with an empty table it is `unknown`.
Cost: 2 microseconds an address. Left to the caller: reading tables from disk, credit to their makers.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.network import is_private, network_of, parse_address
from stillwatch.sketch.ranges import Ranges
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import ADDRESS_KINDS

_FORMAT: Final = 1
_KIND: Final = {name: number for number, name in enumerate(ADDRESS_KINDS)}


@dataclass(frozen=True, slots=True)
class AddressTable:
    """What is known of addresses; IPv6 by its upper 64 bits, Tor exits exactly."""

    kind4: Ranges
    kind6: Ranges
    asn4: Ranges
    asn6: Ranges
    tor: frozenset[tuple[int, int]]
    """Tor exits as (4 or 6, number)."""

    @classmethod
    def empty(cls) -> "AddressTable":
        """Return a table that knows private ranges alone."""
        none = Ranges.painted([])
        return cls(none, none, none, none, frozenset())

    @classmethod
    def from_ranges(
        cls,
        *,
        kinds: Iterable[tuple[str, str]] = (),
        asns: Iterable[tuple[str, str, int]] = (),
        tor: Iterable[str] = (),
    ) -> "AddressTable":
        """Build a table from lists.

        Args:
            kinds: (range as `a.b.c.d/n`, IPv6 likewise with n <= 64, kind in `ADDRESS_KINDS`); later ones win.
            asns: (first address, last address, AS number); later ones win.
            tor: Addresses of Tor exits.

        Raises:
            StillwatchError: a range or a kind cannot be read.
        """
        painted: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}
        for text, kind in kinds:
            if kind not in _KIND:
                raise StillwatchError(f"address kind {kind!r}: unknown; must be one of {', '.join(ADDRESS_KINDS)}.")
            version, low, high = _block(text)
            painted[version].append((low, high, _KIND[kind]))
        numbered: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}
        for first, last, asn in asns:
            version, low = _upper(first)
            if (ending := _upper(last))[0] != version:
                raise StillwatchError(f"address range {first} to {last}: both ends must be IPv4 or both IPv6.")
            numbered[version].append((low, ending[1], asn))
        exits = frozenset(_known(text) for text in tor)
        return cls(
            Ranges.painted(painted[4]),
            Ranges.painted(painted[6]),
            Ranges.painted(numbered[4]),
            Ranges.painted(numbered[6]),
            exits,
        )

    def lookup(self, addresses: Sequence[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8], list[str]]:
        """Return AS number, kind and network of each address as written (a port or brackets are dropped).

        Returns:
            AS numbers, shape (n,), 0 unknown; kinds, shape (n,); networks such as `192.0.2.0/24` or
            `2001:db8:1::/48`, empty for private and malformed addresses, which link nobody.
        """
        parsed = [parse_address(text) for text in addresses]
        asn, kind = np.zeros(len(parsed), np.uint32), np.zeros(len(parsed), np.uint8)
        for version, asns, kinds in ((4, self.asn4, self.kind4), (6, self.asn6, self.kind6)):
            rows = [row for row, item in enumerate(parsed) if item is not None and item[0] == version]
            if rows:
                shift = 0 if version == 4 else 64
                values = np.array([item[1] >> shift for row in rows if (item := parsed[row])], np.uint64)
                asn[rows] = asns.at(values)
                listed = kinds.at(values)
                kind[rows] = np.where(listed > 0, listed, self._unlisted())
        for row, item in enumerate(parsed):
            if item in self.tor:
                kind[row] = _KIND["tor"]
            elif item is not None and is_private(item):
                asn[row], kind[row] = 0, _KIND["private"]
        networks = ["" if kind[row] == _KIND["private"] else network_of(item) for row, item in enumerate(parsed)]
        return asn, kind, networks

    def _unlisted(self) -> int:
        return _KIND["consumer"] if len(self.kind4) or len(self.kind6) else _KIND["unknown"]

    def to_npz_bytes(self) -> bytes:
        """Return the table as a compressed NumPy archive."""
        exits4 = np.array(sorted(number for version, number in self.tor if version == 4), np.uint32)
        exits6 = sorted(number for version, number in self.tor if version == 6)
        halves = np.array([(number >> 64, number & (2**64 - 1)) for number in exits6], np.uint64).reshape(-1, 2)
        arrays: dict[str, npt.NDArray[Any]] = {"format": np.array([_FORMAT]), "tor4": exits4, "tor6": halves}
        for name in ("kind4", "kind6", "asn4", "asn6"):
            arrays |= getattr(self, name).to_arrays(name)
        out = io.BytesIO()
        np.savez_compressed(out, allow_pickle=False, **arrays)
        return out.getvalue()

    @classmethod
    def from_npz_bytes(cls, data: bytes) -> "AddressTable":
        """Read what `to_npz_bytes` wrote; nothing in it is run.

        Raises:
            StillwatchError: the bytes are no such archive, or of another version.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            if int(arrays["format"][0]) != _FORMAT:
                raise ValueError("another version")
            kind4, kind6, asn4, asn6 = (Ranges.from_arrays(n, arrays) for n in ("kind4", "kind6", "asn4", "asn6"))
            exits = {(4, int(number)) for number in arrays["tor4"]}
            exits |= {(6, int(high) << 64 | int(low)) for high, low in arrays["tor6"]}
        except Exception as error:  # zipfile, zlib and NumPy each raise their own kinds on damaged bytes
            raise StillwatchError(
                f"address table: cannot be read ({type(error).__name__}); must be an archive of format {_FORMAT} "
                "as `tools/build_addresses.py` writes it. Build it again."
            ) from None
        return cls(kind4, kind6, asn4, asn6, frozenset(exits))


def _known(text: str) -> tuple[int, int]:
    parsed = parse_address(text)
    if parsed is None:
        raise StillwatchError(f"address {text!r}: cannot be read; must be an IPv4 or IPv6 address.")
    return parsed


def _upper(text: str) -> tuple[int, int]:
    version, number = _known(text)
    return version, number if version == 4 else number >> 64


def _block(text: str) -> tuple[int, int, int]:
    base, _, length = text.partition("/")
    version, low = _upper(base)
    most = 32 if version == 4 else 64
    if not length.isdecimal() or int(length) > (32 if version == 4 else 128):
        raise StillwatchError(f"address range {text!r}: must end in a prefix length such as /24.")
    size = 1 << (most - min(int(length), most))
    low &= ~(size - 1)
    return version, low, low + size - 1
