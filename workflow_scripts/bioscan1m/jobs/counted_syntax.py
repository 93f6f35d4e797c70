"""The part of a piece of code that can change a result, written as text and references from its syntax tree.

Left out are

- docstrings, comments, layout and `pass`;
- annotations, but not those of the fields of a dataclass or a NamedTuple, which decide what it takes;
- calls that only log or count progress, but not an argument of theirs that may do more than read a value;
- functions that return an error which ends the job: they only explain it;
- imports, because each name that they bind is written as its meaning.

The text is equal in all versions of Python; `ast.dump` and `ast.unparse` differ between them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import TypeGuard

from bioscan1m.jobs.code_parts import Caught, ErrorText, Names, Part, Reference

# The library's error for input that stops a job, and Python's own ways to end: their texts reach no result.
ENDS_JOB = frozenset({"InputError", "SystemExit", "KeyboardInterrupt"})
# The record of a job, the advice that it logs when it fails and the lines on its progress are no part of what it makes.
NOT_COUNTED = frozenset({"job", "naming", "sending_failure", "Progress"})
LOG_LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
PROGRESS = frozenset({"progress", "_progress"})
# Calls that only read their arguments, and consume no iterator.
LOOKING_FUNCTIONS = frozenset({"Path", "abs", "bool", "float", "format", "int", "len", "repr", "round", "str", "type"})
LOOKING_METHODS = frozenset(
    {"any", "as_posix", "format", "items", "keys", "lower", "mean", "strip", "sum", "to_dict", "tolist", "total"}
    | {"upper", "value_counts", "values"}
)
# Expressions that may do more than read: bind a name, wait, or consume an iterator.
ACTIONS = (
    ast.Call,
    ast.NamedExpr,
    ast.Await,
    ast.Yield,
    ast.YieldFrom,
    ast.comprehension,
    ast.Starred,
    ast.In,
    ast.NotIn,
)
WHOLE_TRACEBACK = frozenset({"exc_info", "format_exc", "exception"})  # of sys, traceback and futures
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def counted_parts(statement: ast.stmt, names: Names) -> list[Part]:
    """The parts of a statement that count, adjacent texts joined; none where it cannot change a result."""
    writer = _Writer(names)
    writer.write_statement(statement)
    joined: list[Part] = []
    for part in writer.parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def only_looks(node: ast.AST) -> bool:
    """Whether an expression only reads values, so that leaving it out changes nothing."""
    return all(_is_looking_call(part) for part in ast.walk(node) if isinstance(part, ACTIONS))


def _is_looking_call(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute):
        return node.func.attr in LOOKING_METHODS
    return isinstance(node.func, ast.Name) and node.func.id in LOOKING_FUNCTIONS


class _Writer:
    """Writes a syntax tree into `parts`; `_caught` has the names and types of the errors of the handlers around it.

    A node is written by the method of its type, `_write_Name` and so on, or else by `_write_fields`.
    """

    def __init__(self, names: Names, caught: dict[str, tuple[str | Reference, ...]] | None = None) -> None:
        self.names = names
        self.parts: list[Part] = []
        self._caught = caught or {}

    def write(self, node: object) -> None:
        """Write a node, a list of nodes or a constant."""
        if isinstance(node, ast.AST):
            special = getattr(self, f"_write_{type(node).__name__}", self._write_fields)
            special(node)
        elif isinstance(node, list):
            self._write_list(node)
        else:
            self.parts.append(ascii(node))

    def _write_list(self, nodes: Sequence[object]) -> None:
        self.parts.append("[")
        for node in nodes:
            before = len(self.parts)
            self.write_statement(node) if isinstance(node, ast.stmt) else self.write(node)
            if len(self.parts) > before:
                self.parts.append(", ")
        self.parts.append("]")

    def write_statement(self, node: ast.stmt) -> None:
        """Write a statement, or nothing where it cannot change a result."""
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and self._only_reports(call):
            self._write_actions(_arguments(call))
        elif isinstance(node, ast.If) and not self._has_statements(node.body + node.orelse):
            self._write_actions([node.test])
        elif self._counts(node):
            self.write(node)

    def _counts(self, node: ast.stmt) -> bool:
        declared = isinstance(node, ast.AnnAssign) and node.value is None
        value = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        return not (declared or value or isinstance(node, ast.Import | ast.ImportFrom | ast.Pass))

    def _has_statements(self, body: list[ast.stmt]) -> bool:
        """Whether anything is written of these statements."""
        aside = _Writer(self.names, self._caught)
        for statement in body:
            aside.write_statement(statement)
        return bool(aside.parts)

    def _write_actions(self, nodes: Sequence[ast.expr]) -> None:
        """Write those expressions, whose values are not used, that may do more than read."""
        for node in nodes:
            if not only_looks(node):
                self.write(node)

    def _only_reports(self, call: ast.Call) -> bool:
        """Whether a call only logs, or counts progress."""
        if not isinstance(call.func, ast.Attribute):
            return False
        owner, method = call.func.value, call.func.attr
        last = getattr(owner, "attr", getattr(owner, "id", ""))
        if method == "advance" and last in PROGRESS:
            return True
        return method in LOG_LEVELS and isinstance(owner, ast.Name) and owner.id in ("logger", "logging")

    def _write_fields(self, node: ast.AST, left_out: Sequence[str] = ()) -> None:
        self.parts.append(f"{type(node).__name__}(")
        for name, value in _fields(node):
            if name not in left_out:
                self.parts.append(f"{name}=")
                self.write(value)
                self.parts.append(", ")
        self.parts.append(")")

    def _write_Name(self, node: ast.Name) -> None:  # noqa: N802
        name, names = node.id, self.names
        if isinstance(node.ctx, ast.Load):
            if name in self._caught:
                self.parts.append(Caught(self._caught[name]))
            if name not in names.local or name in names.defined or name in names.imports:
                self._write_meaning(names.of(name))
        if name in names.local or not isinstance(node.ctx, ast.Load):
            self.parts.append("Own" if name == names.own else f"Name({name})")

    def _write_meaning(self, meant: str | Reference) -> None:
        if isinstance(meant, Reference):
            self.parts.append(meant)
            return
        if meant.rpartition(".")[2] in WHOLE_TRACEBACK:
            self.parts.append(Caught(("BaseException",)))
        self.parts.append(f"Name({meant})")

    def _write_Attribute(self, node: ast.Attribute) -> None:  # noqa: N802
        if node.attr in WHOLE_TRACEBACK:
            self.parts.append(Caught(("BaseException",)))
        meant = self._meant(node)
        if isinstance(meant, Reference):
            self.parts.append(meant)
        elif meant is not None:
            self.parts.append(f"Name({meant})")
        else:
            self.parts.append("Attribute(")
            self.write(node.value)
            self.parts.append(f", {node.attr})")

    def _meant(self, node: ast.expr | None) -> str | Reference | None:
        """The meaning of a name, or a name with attributes, that the piece does not bind; None for anything else."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self.names.local:
            return None
        meant = self.names.of(node.id)
        if isinstance(meant, Reference):
            return Reference(meant.name, tuple(attributes))
        return ".".join([meant, *attributes])

    def _write_Call(self, node: ast.Call) -> None:  # noqa: N802
        last = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if last in NOT_COUNTED and self._meant(node.func) is not None:
            self.parts.append(f"{last}()")
            self._write_actions(_arguments(node))
        else:
            self._write_fields(node)

    def _write_error(self, node: ast.Call) -> None:
        """The type of an error that is raised and, as a separate part, its arguments."""
        aside = _Writer(self.names, self._caught)
        aside.write([*node.args, *node.keywords])
        self.write(node.func)
        self.parts.append(ErrorText(self._meant(node.func) or "", tuple(aside.parts)))

    def _write_Raise(self, node: ast.Raise) -> None:  # noqa: N802
        self.parts.append("Raise(")
        if isinstance(node.exc, ast.Call):
            self._write_error(node.exc)
        elif self._is_caught(node.exc):
            self.parts.append(node.exc.id)  # to raise it again does not use its text
        else:
            self.write(node.exc)
        if node.cause is not None and not self._is_caught(node.cause):
            self.write(node.cause)
        self.parts.append(")")

    def _write_Return(self, node: ast.Return) -> None:  # noqa: N802
        """A caught error that ends the job counts by its name alone: the caller raises it."""
        value = node.value
        if self._is_caught(value) and all(_last_name(kind) in ENDS_JOB for kind in self._caught[value.id]):
            self.parts.append(f"Return({value.id})")
        else:
            self._write_fields(node)

    def _is_caught(self, node: ast.expr | None) -> TypeGuard[ast.Name]:
        """Whether an expression is the name of an error that a handler around it caught."""
        return isinstance(node, ast.Name) and node.id in self._caught

    def _write_ExceptHandler(self, node: ast.ExceptHandler) -> None:  # noqa: N802
        before = self._caught
        if node.name:
            types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            self._caught = before | {node.name: tuple(self._meant(kind) or "BaseException" for kind in types)}
        self._write_fields(node)
        self._caught = before

    def _write_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:  # noqa: N802
        if isinstance(node.returns, ast.Name) and node.returns.id in ENDS_JOB:
            self.parts.append("Explanation()")
            return
        own = node.name == self.names.own and node.name not in self.names.local
        self._write_fields(node, ("returns", "name") if own else ("returns",))

    _write_AsyncFunctionDef = _write_FunctionDef  # noqa: N815

    def _write_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: N802
        """Annotations in its body count where a decorator or a base class may read them as fields."""
        if not (node.decorator_list or node.bases):
            self._write_fields(node)
            return
        self.parts.append(f"Class({node.name}, ")
        for items in (node.bases, node.keywords, node.decorator_list):
            self.write(items)
        for statement in _without_docstring(node):
            if isinstance(statement, ast.AnnAssign):
                self._write_fields(statement)
            else:
                self.write_statement(statement)
        self.parts.append(")")

    def _write_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: N802
        if node.value is not None:  # else `_counts` is false for it
            self.write(ast.Assign(targets=[node.target], value=node.value))

    def _write_arg(self, node: ast.arg) -> None:
        self.parts.append(f"arg({node.arg})")

    def _write_JoinedStr(self, node: ast.JoinedStr) -> None:  # noqa: N802
        """Without the empty strings that Python 3.12 finds in f-strings."""
        self.write([part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")])


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _last_name(meant: str | Reference) -> str:
    return (meant.name if isinstance(meant, Reference) else meant).rpartition(".")[2]


def _fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    """The fields that have a value, without docstrings and without those that follow from the others."""
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, DOCUMENTED):
            yield name, _without_docstring(node)
        elif value is not None and value != [] and name not in ("ctx", "kind", "type_comment"):
            yield name, value


def _without_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    return node.body if ast.get_docstring(node, clean=False) is None else node.body[1:]
