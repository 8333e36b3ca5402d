"""stix2-validator and misp-stix over one bundle: run by an interpreter that has them.

In: the path of a bundle. Out: JSON with the validator's errors and what became of the indicators in MISP.
"""

import json
import logging
import sys
from typing import Any

logging.disable(logging.CRITICAL)


def main() -> None:
    """Read the bundle with both and print what they say."""
    from misp_stix_converter import ExternalSTIX2toMISPParser
    from stix2validator import ValidationOptions, validate_file

    path = sys.argv[1]
    options = ValidationOptions(version="2.1", strict=False, disabled="", enforce_refs=False)
    found = validate_file(path, options)
    errors = [str(e) for r in found.object_results for e in r.errors] + [str(found.fatal or "")] * bool(found.fatal)
    with open(path, encoding="utf-8") as file:
        bundle = json.load(file)
    parser = ExternalSTIX2toMISPParser()
    parser.load_stix_bundle(_parsed(bundle))
    parser.parse_stix_bundle()
    event = parser.misp_event.to_json()
    wanted = [item["id"] for item in bundle["objects"] if item["type"] == "indicator"]
    kept = [name for name in wanted if name.partition("--")[2] in event]
    print(json.dumps({"valid": found.is_valid, "errors": errors, "indicators": wanted, "kept": kept}))


def _parsed(bundle: Any) -> Any:
    import stix2

    return stix2.parse(bundle, allow_custom=True)


if __name__ == "__main__":
    main()
