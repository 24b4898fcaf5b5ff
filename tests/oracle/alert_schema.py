#!/usr/bin/env python3
"""Validates NDJSON alerts against docs/alert.schema.json: alert_schema.py SCHEMA FILE. Exit 77 where python3-jsonschema is missing."""
import json
import sys

try:
    import jsonschema
except ImportError:
    print("alert_schema.py: python3-jsonschema is not installed", file=sys.stderr)
    sys.exit(77)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    lines = bad = 0
    with open(sys.argv[2], encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            lines += 1
            for error in validator.iter_errors(json.loads(line)):
                bad += 1
                print(f"{sys.argv[2]}:{number}: {'/'.join(map(str, error.path))}: {error.message}", file=sys.stderr)
    print(f"{lines} alerts, {bad} departures from the schema")
    return 1 if bad or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
