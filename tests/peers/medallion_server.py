"""Medallion, asked by a pipe: run by an interpreter that has it. Reads a data file's path, then one request a line.

In: lines of JSON with method, path, headers and body (base64). Out: lines of JSON with status, headers and body.
"""

import base64
import json
import logging
import sys

import medallion

logging.disable(logging.CRITICAL)


def main() -> None:
    """Answer until the pipe closes."""
    settings = {
        "users": {"admin": "Password0"}, "taxii": {"max_page_size": 20},
        "backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend",
                    "filename": sys.argv[1], "session_timeout": 3600, "check_interval": 3600},
    }  # fmt: skip
    app = medallion.application_instance
    for part in settings:
        medallion.set_config(app, part, settings)
    medallion.register_blueprints(app)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    client = app.test_client()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = client.open(
                asked["path"], method=asked["method"], headers=asked["headers"],
                data=base64.b64decode(asked["body"]) if asked["body"] is not None else None,
            )  # fmt: skip
        except Exception:  # its own fault: a server in front of it would say 500
            print(json.dumps({"status": 500, "headers": {}, "body": ""}), flush=True)
            continue
        told = {"status": answer.status_code, "headers": {k.lower(): v for k, v in answer.headers.items()},
                "body": base64.b64encode(answer.data).decode()}  # fmt: skip
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
