"""Write the table of all keys of the config into docs/configuration.md: `make docs`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ABSENT = object()  # the value of a key that the config does not have
LONGEST_VALUE = 40  # letters; a longer one is better read in the config itself
ANY_NAME = "NAME"  # stands for a key that the user chooses
BEGIN, END = "<!-- The table is written by `make docs`. -->", "<!-- The end of the table. -->"
WORDS = {"string": "text", "boolean": "true or false", "integer": "whole number", "object": "keys and values"}
LIMITS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}


class Key(NamedTuple):
    """One row of the table."""

    key: str
    meaning: str
    allowed: str
    value: str


def configuration_table(schema_file: str | Path, config_file: str | Path) -> str:
    """One row per key that holds no other keys, in the order of the schema. Both files are YAML."""
    schema, config = (yaml.safe_load(Path(path).read_text(encoding="utf-8")) for path in (schema_file, config_file))
    keys = _keys(schema, schema, config)
    lines = ["| key | what it is | allowed | in `config.yaml` |", "|---|---|---|---|"]
    lines += ["| " + " | ".join([f"`{key.key}`", key.meaning, key.allowed, key.value]) + " |" for key in keys]
    return "\n".join(lines) + "\n"


def write_configuration_table(document: str | Path, table: str) -> None:
    """Put the table into a Markdown document, between the two comments that mark its place.

    Raises ValueError where the document does not have them.
    """
    text = Path(document).read_text(encoding="utf-8")
    before, begins, rest = text.partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not (begins and ends):
        raise ValueError(f"{document}: no place for the table, between {BEGIN!r} and {END!r}")
    Path(document).write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", encoding="utf-8")


def _keys(schema: dict[str, Any], node: dict[str, Any], value: object, path: str = "") -> Iterator[Key]:
    """The keys below a node of the schema, which has this value in the config."""
    for name, child, of_child in _children(schema, node, value):
        below = f"{path}.{name}" if path else name
        if list(_children(schema, child, of_child)) and not (_is_source(child) or _repeats_others(child)):
            yield from _keys(schema, child, of_child, below)
        else:
            yield Key(below, child.get("description", ""), _allowed(schema, child), _shown(of_child))


def _is_source(node: dict[str, Any]) -> bool:
    return set(node.get("properties", {})) == {"source", "checksum"}


def _repeats_others(node: dict[str, Any]) -> bool:
    """Whether all keys of a node stand elsewhere in the config: settings that differ from those there."""
    return all(child.get("$ref", "").startswith("#/properties/") for child in node.get("properties", {"": {}}).values())


def _children(schema: dict[str, Any], node: dict[str, Any], value: object) -> Iterator[tuple[str, dict, object]]:
    """Name, schema and value of each key in a node."""
    values = value if isinstance(value, dict) else {}
    for name, child in node.get("properties", {}).items():
        yield name, _resolved(schema, child), values.get(name, ABSENT)
    for kind in ("then", "else"):
        if kind in node:
            yield from _children(schema, _resolved(schema, node[kind]), ABSENT)
    others = node.get("additionalProperties")
    if isinstance(others, dict):
        yield ANY_NAME, _resolved(schema, others) | {"description": node.get("description", "")}, ABSENT


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """The node with what it refers to; its own keys take precedence."""
    if "$ref" not in node:
        return node
    target: Any = schema
    for step in node["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return _resolved(schema, target) | {key: value for key, value in node.items() if key != "$ref"}


def _allowed(schema: dict[str, Any], node: dict[str, Any]) -> str:
    """What a value may be, in words."""
    if "oneOf" in node:
        return " or ".join(_allowed(schema, _resolved(schema, one)) for one in node["oneOf"])
    if "enum" in node:
        return ", ".join(f"`{'null' if value is None else value}`" for value in node["enum"])
    if _is_source(node):
        return "`{source, checksum}`"
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return " or ".join(_kind(schema, node, kind) for kind in kinds)


def _kind(schema: dict[str, Any], node: dict[str, Any], kind: str) -> str:
    if kind == "array":
        return f"list: {_allowed(schema, _resolved(schema, node['items']))}"
    limits = [f"{word} {node[limit]}" for limit, word in LIMITS.items() if limit in node]
    return " ".join([WORDS.get(kind, kind), *limits])


def _shown(value: object) -> str:
    """The value as YAML has it, unless it is long."""
    text = "" if value is ABSENT else json.dumps(value)
    return f"`{text}`" if 0 < len(text) <= LONGEST_VALUE else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("schema", help="JSON schema of the config, as YAML")
    parser.add_argument("config", help="the config whose values are shown")
    parser.add_argument("document", help="the Markdown file with a place for the table")
    given = parser.parse_args()
    write_configuration_table(given.document, configuration_table(given.schema, given.config))
