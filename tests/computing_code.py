"""What computes in the code of the library, and changes of it: marks in each statement, and mutations.

This is found apart from how digests find it. What they leave out on purpose is left out here too: logging and progress,
the making and raising of errors, what is only called by NOT_COUNTED, annotations and docstrings.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bioscan1m.jobs.counted_syntax import ENDS_JOB, LOG_LEVELS, NOT_COUNTED

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LOGGERS = ("logger", "logging")
PROGRESS = ("progress", "_progress")
DECLARING = (ast.Import, ast.ImportFrom, ast.Pass, ast.Raise, ast.Global, ast.Nonlocal)
NOT_LOOKED_INTO = ("annotation", "returns", "decorator_list")


def computing_statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements in functions and methods that may change a result; not `def` and `class` themselves."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from computing_statements(ast.Module(node.body, []))
        elif isinstance(node, FUNCTIONS) and not _explains(node):
            yield from _of_body(node)


def _of_body(node: ast.AST) -> Iterator[ast.stmt]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTIONS) and _explains(child):
            continue
        if isinstance(child, ast.stmt) and not isinstance(child, (*FUNCTIONS, ast.ClassDef)) and _computes(child):
            yield child
        yield from _of_body(child)


def _explains(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function makes an error that ends the job, or has no part in what a job makes."""
    return getattr(node.returns, "id", "") in ENDS_JOB or node.name in NOT_COUNTED


def _computes(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return any(_computes(statement) for statement in node.body + node.orelse)
    if isinstance(node, ast.Expr):
        return not (isinstance(node.value, ast.Constant) or _says(node.value))
    return not (isinstance(node, DECLARING) or (isinstance(node, ast.AnnAssign) and node.value is None))


def _says(node: ast.expr) -> bool:
    """Whether an expression only logs, or counts progress."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    owner = getattr(node.func.value, "attr", getattr(node.func.value, "id", ""))
    return (owner in LOGGERS and node.func.attr in LOG_LEVELS) or (owner in PROGRESS and node.func.attr == "advance")


def own_expressions(statement: ast.stmt) -> Iterator[tuple[ast.AST, str, ast.expr]]:
    """The expressions that stand in a statement itself, not in those below it: (where, field, expression)."""
    for name, value in ast.iter_fields(statement):
        if isinstance(value, ast.expr) and name not in NOT_LOOKED_INTO and not _is_target(value):
            yield statement, name, value
    for item in getattr(statement, "items", []):
        yield item, "context_expr", item.context_expr


def lines_of(statement: ast.stmt) -> range:
    """The lines of a statement, less those of the statements below it."""
    ends = (expression.end_lineno or 0 for _, _, expression in own_expressions(statement))
    return range(statement.lineno, max([statement.lineno, *ends]) + 1)


def _is_target(node: ast.expr) -> bool:
    return not isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def computing_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """An expression with all in it that may change a result."""
    yield node
    last = ""
    if isinstance(node, ast.Call):
        last = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if last not in ENDS_JOB | NOT_COUNTED:
        for child in ast.iter_child_nodes(node):
            yield from computing_nodes(child)


def constants(tree: ast.Module) -> dict[str, ast.Assign | ast.AnnAssign]:
    """Name -> the statement of a module that gives it its value."""
    return {
        target.id: node
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }


def names_read(statement: ast.stmt) -> set[str]:
    """The names that a statement itself reads where they may change a result."""
    nodes = (node for _, _, expression in own_expressions(statement) for node in computing_nodes(expression))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def mark(tree: ast.Module, file: str) -> None:
    """Put a mark into each constant, and into each expression of each computing statement, in place.

    An expression becomes `("mark", expression)[1]`, which is it.
    """
    for name, constant in constants(tree).items():
        constant.value = _marked(constant.value, mark_of(file, name))
    for statement in list(computing_statements(tree)):
        for where, field, expression in list(own_expressions(statement)):
            setattr(where, field, _marked(expression, mark_of(file, statement.lineno)))
    ast.fix_missing_locations(tree)


def mark_of(file: str, place: str | int) -> str:
    """The mark of a constant, by its name, or of a statement, by its first line."""
    return f"<{file}:{place}>"


def marks_of_a_run(lines: Mapping[str, set[int]], trees: Mapping[str, ast.Module]) -> set[str]:
    """The marks of the statements on the lines that ran, by file, and of the constants that these read."""
    marks = set()
    for file, ran in lines.items():
        places = _places_of_constants(file, trees)
        for statement in computing_statements(trees[file]):
            if any(own_expressions(statement)) and not ran.isdisjoint(lines_of(statement)):
                marks.add(mark_of(file, statement.lineno))
                marks |= {places[name] for name in names_read(statement) & set(places)}
    return marks


def _places_of_constants(file: str, trees: Mapping[str, ast.Module]) -> dict[str, str]:
    """Name in a module -> mark of the constant that it stands for, its own or that of another module."""
    places = {name: mark_of(file, name) for name in constants(trees[file])}
    for node in ast.walk(trees[file]):
        if isinstance(node, ast.ImportFrom):
            other = f"{str(node.module).replace('.', '/')}.py"
            known = constants(trees[other]) if other in trees else {}
            places |= {name.asname or name.name: mark_of(other, name.name) for name in node.names if name.name in known}
    return places


def _marked(expression: ast.expr, text: str) -> ast.expr:
    return ast.Subscript(ast.Tuple([ast.Constant(text), expression], ast.Load()), ast.Constant(1), ast.Load())


@dataclass(frozen=True)
class Mutation:
    """A change of one of the KINDS, at the `number`-th place of a module that can be changed at all."""

    file: str
    lines: range  # of the statement
    kind: str
    number: int
    text: str  # of the expression or statement, as it is

    def __str__(self) -> str:
        return f"{self.file}:{self.lines.start}: {self.kind}: {self.text}"

    def of(self, source: str) -> str:
        """The module with the change."""
        tree = ast.parse(source)
        node = [place for statement in computing_statements(tree) for place in _places(statement)][self.number]
        changed = KINDS[self.kind](copy.deepcopy(node))
        return ast.unparse(ast.fix_missing_locations(_Replacing(node, changed).visit(tree)))


def mutations(file: str, source: str) -> list[Mutation]:
    """All mutations of the code of a module that computes."""
    found = []
    places = [(one, place) for one in computing_statements(ast.parse(source)) for place in _places(one)]
    for number, (statement, node) in enumerate(places):
        for kind, change in KINDS.items():
            changed = change(copy.deepcopy(node))
            if changed is not None and ast.dump(changed) != ast.dump(node):
                text = ast.unparse(node).partition("\n")[0]
                found.append(Mutation(file, lines_of(statement), kind, number, text))
    return found


def _places(statement: ast.stmt) -> list[ast.AST]:
    """A statement, and what is in its own expressions."""
    nodes = [node for _, _, expression in own_expressions(statement) for node in computing_nodes(expression)]
    return [statement, *nodes]


class _Replacing(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else self.generic_visit(node)


COMPARISONS = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult}
JUNCTIONS = {ast.And: ast.Or, ast.Or: ast.And}


def _compare(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.Compare):
        return None
    node.ops[0] = COMPARISONS[type(node.ops[0])]()
    return node


def _operate(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) or type(node.op) not in OPERATORS | JUNCTIONS:
        return None
    node.op = (OPERATORS | JUNCTIONS)[type(node.op)]()
    return node


def _change_number(node: ast.AST) -> ast.AST | None:
    if not (isinstance(node, ast.Constant) and isinstance(node.value, int | float)):
        return None
    node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    return node


def _change_text(node: ast.AST) -> ast.AST | None:
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return None
    node.value += "x"
    return node


def _negate(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.If | ast.IfExp | ast.While):
        return None
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return node


def _drop(node: ast.AST) -> ast.AST | None:
    return ast.Pass() if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.Delete) else None


def _swap_arguments(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.Call) or len(node.args) < 2:
        return None
    node.args[:2] = reversed(node.args[:2])
    return node


KINDS: dict[str, Callable[[ast.AST], ast.AST | None]] = {
    "another comparison": _compare,
    "another operator": _operate,
    "another number": _change_number,
    "another text": _change_text,
    "a condition negated": _negate,
    "a statement dropped": _drop,
    "arguments swapped": _swap_arguments,
}
