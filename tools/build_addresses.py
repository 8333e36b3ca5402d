"""Build the packed table of data-centre, VPN and Tor addresses from lists of ranges.

In: a folder with `datacenter_ipv4`, `datacenter_ipv6`, `vpn_ipv4`, `vpn_ipv6` (column `cidr`) and
`tor_exits` (column `ipaddr`), each `.csv.gz`. Out: one NumPy archive for `AddressTable.from_npz_bytes`.
AS numbers are in it only where `--asn` names a table (columns `start`, `end`, `asn`) whose licence
the user accepts; the packed file is built without one.

Run: python tools/build_addresses.py FOLDER [--asn FILE.csv.gz] [--out addresses.npz]
"""

import argparse
import csv
import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

from stillwatch.sketch.address import AddressTable

PACKED = Path(__file__).resolve().parent.parent / "src" / "stillwatch" / "app" / "data" / "addresses.npz"
MOST_BYTES = 400_000


def rows(file: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a gzipped CSV file with a header line."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def build(folder: Path, asn_table: Path | None) -> AddressTable:
    """Return the table; a VPN range wins over the data-centre range it stands in."""
    kinds = [
        (row["cidr"], kind)
        for kind, stem in (("datacentre", "datacenter"), ("vpn", "vpn"))
        for version in ("ipv4", "ipv6")
        for row in rows(folder / f"{stem}_{version}.csv.gz")
    ]
    asns = [(row["start"], row["end"], int(row["asn"])) for row in rows(asn_table)] if asn_table else []
    exits = [row["ipaddr"] for row in rows(folder / "tor_exits.csv.gz")]
    return AddressTable.from_ranges(kinds=kinds, asns=asns, tor=exits)


def main() -> int:
    """Build, write, and print the size; exit 1 when a table without AS numbers grew past 400 kB."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--asn", type=Path)
    parser.add_argument("--out", type=Path, default=PACKED)
    given = parser.parse_args()
    if given.asn and given.out == PACKED:
        parser.error("--asn needs --out: the packed file holds no AS numbers, whose licence asks for credit.")
    packed = build(given.folder, given.asn).to_npz_bytes()
    if not given.asn and len(packed) > MOST_BYTES:
        print(f"{given.out}: {len(packed)} bytes; must stay below {MOST_BYTES}.", file=sys.stderr)
        return 1
    given.out.write_bytes(packed)
    print(f"{given.out}: {len(packed)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
