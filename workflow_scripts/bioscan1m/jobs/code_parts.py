"""A piece of code as a list of parts: text, and what in it depends on other code of the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Reference(NamedTuple):
    """A dotted name of the library, and the attributes that follow it in the code."""

    name: str
    attributes: tuple[str, ...] = ()


class Caught(NamedTuple):
    """A place where the code uses an error that it caught: the types of the error, built-in names or references."""

    types: tuple[str | Reference, ...]


class ErrorText(NamedTuple):
    """An error that is raised: its type, empty if unknown, and its arguments."""

    type: str | Reference
    parts: tuple[str | Reference | Caught | ErrorText, ...]


Part = str | Reference | Caught | ErrorText


@dataclass(frozen=True)
class Names:
    """The meanings of the names in a piece of code.

    `module` is the dotted name of its module, `roots` the first names of the library's modules. `imports` has the
    dotted name of each imported name, `defined` the names that the module defines. Names in `local` are bound in the
    piece itself, and `own` is the name that it defines.
    """

    module: str
    roots: frozenset[str]
    imports: dict[str, str]
    defined: frozenset[str]
    local: frozenset[str] = frozenset()
    own: str = ""

    def of(self, identifier: str) -> str | Reference:
        """The meaning of a name that the piece does not bind; the name itself where it is a built-in one."""
        dotted = self.imports.get(identifier)
        if dotted is None:
            return Reference(f"{self.module}.{identifier}") if identifier in self.defined else identifier
        return Reference(dotted) if dotted.partition(".")[0] in self.roots else dotted
