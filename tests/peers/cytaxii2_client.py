"""cytaxii2 at a hub: run by an interpreter that has it.

In: discovery's address, name, key, collection, a JSON file with an envelope. Out: JSON with what it read.
"""

import json
import sys

from cytaxii2 import cytaxii2


def main() -> None:
    """Discover, write, read and page."""
    url, name, key, collection, path = sys.argv[1:]
    client = cytaxii2.cytaxii2(url, name, key, version=2.1)
    with open(path, encoding="utf-8") as file:
        sent = client.inbox_request(collection, file.read())
    read, following = [], None
    while True:
        page = client.poll_request(collection, limit=2, next=following)
        read += [item["id"] for item in page["response"].get("objects", [])]
        following = page["response"].get("next")
        if not following:
            break
    told = {
        "discovery": client.discovery_request()["response"]["title"], "root": client.root_discovery()["status"],
        "collections": [c["id"] for c in client.collection_request()["response"]["collections"]],
        "collection": client.collection_data_request(collection)["response"]["id"],
        "sent": sent["status_code"], "read": read,
    }  # fmt: skip
    print(json.dumps(told))


if __name__ == "__main__":
    main()
