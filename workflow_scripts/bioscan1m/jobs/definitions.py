"""The definitions of a module: its functions, classes and constants, each as the part of its code that counts.

A constant counts where it is used. All else that runs when a module is imported is an effect, and counts wherever the
module is imported: other statements, decorators that may register a function, imports whose name nothing uses.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from bioscan1m.jobs.code_parts import Names, Part, Reference
from bioscan1m.jobs.counted_syntax import counted_parts

# Decorators that only wrap what they decorate.
PLAIN_DECORATORS = frozenset({"cache", "contextmanager", "dataclass", "inference_mode", "lru_cache", "no_grad"})
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
NAMED = (*DEFINITIONS, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)


@dataclass(frozen=True)
class Module:
    """The parts of a module that count.

    `definitions` has the parts of each name that it defines, `bases` the base classes of each class, `effects` the
    parts of each effect of its import, `imports` the dotted name of each imported name, `imported` the dotted names
    that it imports anywhere.
    """

    definitions: dict[str, list[Part]]
    bases: dict[str, list[str | Reference]]
    effects: list[list[Part]]
    imports: dict[str, str]
    imported: frozenset[str]


@cache
def read_module(source: bytes, name: str, roots: frozenset[str]) -> Module:
    """Parse a module.

    Args:
        source: its text.
        name: its dotted name.
        roots: the first names of dotted names that belong to the library.

    Returns:
        The parts that count.
    """
    tree = ast.parse(source, filename=name)
    names = Names(
        module=name,
        roots=roots,
        imports=dict(_bindings(_statements(tree, into_functions=False))),
        defined=frozenset(bound for statement in tree.body for bound in _defined_by(statement)),
    )
    return Module(
        definitions=_definitions(tree, names),
        bases={node.name: _bases(node, names) for node in tree.body if isinstance(node, ast.ClassDef)},
        effects=[*filter(None, _effects(tree, names)), *_unused_imports(tree, names)],
        imports=names.imports,
        imported=frozenset(_imported(tree)),
    )


def _definitions(tree: ast.Module, names: Names) -> dict[str, list[Part]]:
    """The parts of each name that a module defines; a name that several statements define has the parts of all."""
    # Names that a script binds in its main block are unknown to its functions, whose parameters may have the same.
    on_import = frozenset(bound for node in tree.body if not _is_main(node) for bound in _defined_by(node))
    definitions: dict[str, list[Part]] = {}
    for statement in tree.body:
        scope = names if _is_main(statement) else replace(names, defined=on_import)
        for own in _defined_by(statement):
            definitions.setdefault(own, []).extend(counted_parts(statement, _names_in(statement, scope, own)))
    return definitions


def _effects(tree: ast.Module, names: Names) -> Iterator[list[Part]]:
    """The parts of each statement that does more than define names, and of each definition that is registered."""
    for node in tree.body:
        if not _only_defines(node):
            yield counted_parts(node, _names_in(node, names))
    for node in tree.body:
        if isinstance(node, DEFINITIONS) and _is_registered(node):
            yield [Reference(f"{names.module}.{node.name}")]


def _statements(node: ast.AST, into_functions: bool = True) -> Iterator[ast.stmt]:
    """The statements in a node, at any depth; those of functions only on request."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if into_functions or not isinstance(child, FUNCTIONS):
            yield from _statements(child, into_functions)


def _bindings(statements: Iterator[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The names that imports bind, and the dotted name of what each stands for."""
    for node in statements:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (first, first)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _imported(tree: ast.Module) -> Iterator[str]:
    """The dotted names that imports anywhere in a module name: of modules, and of what is in them."""
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _defined_by(statement: ast.stmt) -> list[str]:
    """The names of its module that a statement defines, imports aside."""
    if isinstance(statement, DEFINITIONS):
        return [statement.name]
    return sorted(_stored(statement))


def _is_main(statement: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__":`."""
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(statement.test)
    )


def _only_defines(statement: ast.stmt) -> bool:
    """Whether running a statement only defines names."""
    if isinstance(statement, ast.Assign):
        targets = [part for target in statement.targets for part in getattr(target, "elts", [target])]
        return all(isinstance(target, ast.Name) for target in targets)
    if isinstance(statement, ast.AnnAssign):
        return isinstance(statement.target, ast.Name)
    return isinstance(statement, DEFINITIONS)


def _is_registered(definition: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Whether a decorator may do more than wrap a function or class, or the body of a class calls something."""
    if isinstance(definition, ast.ClassDef) and any(_calls(part) for part in definition.body):
        return True
    called = (node.func if isinstance(node, ast.Call) else node for node in definition.decorator_list)
    return any(getattr(node, "attr", getattr(node, "id", "")) not in PLAIN_DECORATORS for node in called)


def _calls(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)


def _names_in(node: ast.stmt, names: Names, own: str = "") -> Names:
    """The meanings of names in a statement of the module, which binds names and may import some."""
    imports = names.imports | dict(_bindings(_statements(node)))
    return replace(names, imports=imports, local=frozenset(_bound_in(node)), own=own)


def _bound_in(node: ast.stmt) -> set[str]:
    """The names that a statement binds, at any depth, but not that of a function or class itself."""
    bound = _stored(node)
    for child in ast.walk(node):
        if isinstance(child, ast.arg):
            bound.add(child.arg)
        elif isinstance(child, NAMED) and child.name and child is not node:
            bound.add(child.name)
        elif isinstance(child, ast.MatchMapping) and child.rest:
            bound.add(child.rest)
    return bound


def _stored(node: ast.AST) -> set[str]:
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Load)}


def _bases(node: ast.ClassDef, names: Names) -> list[str | Reference]:
    """The base classes of a class; empty text for one that is no plain name."""
    return [names.of(base.id) if isinstance(base, ast.Name) else "" for base in node.bases]


def _unused_imports(tree: ast.Module, names: Names) -> list[list[Part]]:
    """Imports from other packages that count as effects: of a submodule, or of a name that nothing uses."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    unused = {dotted for bound, dotted in names.imports.items() if bound not in used}
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.Import))
    unused |= {alias.name for node in imports for alias in node.names if "." in alias.name}
    return [
        [f"import {dotted}"]
        for dotted in sorted(unused)
        if dotted.partition(".")[0] not in (*names.roots, "__future__")
    ]
