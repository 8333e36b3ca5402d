"""The address table that comes with the package, and a user's own AS numbers."""

from importlib import resources

from stillwatch.sketch.address import AddressTable


def packaged_addresses() -> AddressTable:
    """Return the packaged table of data-centre, VPN and Tor ranges; empty where it was left out."""
    found = resources.files("stillwatch.app").joinpath("data/addresses.npz")
    return AddressTable.from_npz_bytes(found.read_bytes()) if found.is_file() else AddressTable.empty()
