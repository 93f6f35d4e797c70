"""Keys that a YAML file gives twice: loaders take the last one silently."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from bioscan1m.foundation.errors import InputError

MERGED = "tag:yaml.org,2002:merge"  # `<<` may be repeated


def refuse_repeated_keys(path: str | Path) -> None:
    """Raise InputError with each key that one mapping of a YAML or JSON file has twice, and its lines.

    A file that is not there or is no YAML is left to the loader, which names it.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the fast one, where PyYAML was built with it
    try:
        node = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=loader)
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        return
    if repeated := list(_repeated(node)):
        raise InputError("\n".join(f"{path}, {line}; remove one of them" for line in repeated))


def _repeated(root: yaml.Node | None) -> Iterator[str]:
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias: a few lines may stand for billions of nodes
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
            yield from _repeated_in(node)


def _repeated_in(node: yaml.MappingNode) -> Iterator[str]:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != MERGED:
            identity, line = (key.tag, key.value), key.start_mark.line + 1
            if identity in lines:
                yield f"line {line}: the key '{key.value}' is in line {lines[identity]} already"
            lines.setdefault(identity, line)
