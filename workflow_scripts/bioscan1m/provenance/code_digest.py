"""One digest for the code of a rule: its script and the modules of this library that it reaches by imports.

Snakemake only sees the time stamp of the script file, so an edit of a library module would go unnoticed and a fresh
checkout would re-run everything. The digest is taken over the syntax trees without docstrings and comments, so only a
change of behaviour changes it. Files in the folder of a module's own name (`published/` for `published.py`) count as
part of that module.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parents[1]
SCRIPTS = LIBRARY.parent
# It logs and keeps records around every job and has no say in what a job makes.
NOT_PART_OF_RESULTS = {LIBRARY / "job.py"}


@cache
def code_digest(script: str) -> str:
    """`<script>:<first 16 hex digits>` for a script of workflow_scripts, named without suffix.

    The name comes first because Snakemake's messages on changed parameters do not name the parameter.
    """
    digest = hashlib.sha256()
    for path in sorted(_files_of(SCRIPTS / f"{script}.py")):
        digest.update(f"{path.relative_to(SCRIPTS).as_posix()}\n{_content(path)}\n".encode())
    return f"{script}:{digest.hexdigest()[:16]}"


def _files_of(script: Path) -> set[Path]:
    """The script, every library module it reaches, and those modules' data files."""
    found, waiting = {script}, [script]
    while waiting:
        for path in _imports(waiting.pop()):
            if path not in found:
                found.add(path)
                waiting.append(path)
    data = {file for path in found for file in path.with_suffix("").glob("*.tsv")}
    return found | data


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """The library files that a Python file imports anywhere in it."""
    names = {name for node in ast.walk(_tree(path)) for name in _imported_names(node)}
    files = {file for name in names for file in _module_files(name)}
    return tuple(sorted(files - NOT_PART_OF_RESULTS))


def _imported_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_files(name: str) -> Iterator[Path]:
    """The files of this library that an import of a dotted name runs: its packages, and itself if it is a module."""
    parts = name.split(".")
    if parts[0] != LIBRARY.name:
        return
    for length in range(1, len(parts) + 1):
        place = SCRIPTS.joinpath(*parts[:length])
        yield from (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def _content(path: Path) -> str:
    """What of a file counts: the code without docstrings, comments and layout; other files as they are."""
    if path.suffix != ".py":
        return path.read_text(encoding="utf-8")
    return _dump(_Essentials().visit(_tree(path)))


def _dump(node: object) -> str:
    """A syntax tree as text, equal in all versions of Python; `ast.dump` and `ast.unparse` differ between them."""
    if isinstance(node, ast.AST):
        fields = (f"{name}={_dump(value)}" for name, value in ast.iter_fields(node) if value not in (None, []))
        return f"{type(node).__name__}({', '.join(fields)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_dump, node))}]"
    return ascii(node)


class _Essentials(ast.NodeTransformer):
    """Removes docstrings, and the empty strings that Python 3.12 finds in f-strings."""

    def _strip(self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        self.generic_visit(node)
        node.values = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
        return node

    visit_Module = visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _strip  # noqa: N815
