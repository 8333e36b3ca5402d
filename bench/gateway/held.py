"""Print how many events a state folder's store holds.

In: a state folder that no gateway serves. Out: a number. A process of its own, because the embedded engine opens one
folder a process.

Run: python -m bench.gateway.held STATE
"""

import sys
from pathlib import Path

from stillwatch.app.livefolder import LiveFolder
from stillwatch.store.clickhouse import Store


def main() -> None:
    """Count, print."""
    store = Store.open(LiveFolder(Path(sys.argv[1])).store)
    try:
        print(sum(store.span(epoch).n_events for epoch in store.epochs()))
    finally:
        store.close()


if __name__ == "__main__":
    main()
