"""One digest for the code of a rule: its script and the modules of this library that it reaches by imports.

Snakemake only sees the time stamp of the script file, so an edit of a library module would go unnoticed and a fresh
checkout would re-run everything. The digest is taken over the syntax trees without docstrings and comments, so only a
change of behaviour changes it. Files in the folder of a module's own name (`published/` for `published.py`) count as
part of that module.

Every job of a cluster plans anew and parsing the library takes 0.7 s, so what was found in a module is kept with the
digest of its bytes, where Python keeps the compiled modules.
"""

from __future__ import annotations

import ast
import atexit
import gzip
import hashlib
import json
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from typing import NamedTuple

LIBRARY = Path(__file__).parents[1]
SCRIPTS = LIBRARY.parent
# It logs and keeps records around every job and has no say in what a job makes.
NOT_PART_OF_RESULTS = {LIBRARY / "job.py"}
# Compressed, so that grep does not print its one long line.
KEPT = Path(cache_from_source(str(LIBRARY / "code_contents.py"))).with_suffix(".json.gz")
# What may have a docstring.
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class _Source(NamedTuple):
    """What of a file counts (see `_content`), the dotted names that it imports, and the SHA-256 of its bytes."""

    content: str
    imports: Sequence[str] = ()
    sha256: str = ""


@cache
def code_digest(script: str) -> str:
    """`<script>:<first 16 hex digits>` for a script of workflow_scripts, named without suffix.

    The name comes first because Snakemake's messages on changed parameters do not name the parameter.
    """
    digest = hashlib.sha256()
    for path in sorted(_files_of(SCRIPTS / f"{script}.py")):
        digest.update(f"{path.relative_to(SCRIPTS).as_posix()}\n{_source(path).content}\n".encode())
    return f"{script}:{digest.hexdigest()[:16]}"


def _files_of(script: Path) -> set[Path]:
    """The script, every library module it reaches, and those modules' data files."""
    found, waiting = {script}, [script]
    while waiting:
        imported = {file for name in _source(waiting.pop()).imports for file in _module_files(name)}
        new = imported - found - NOT_PART_OF_RESULTS
        found |= new
        waiting += new
    data = {file for path in found for file in path.with_suffix("").glob("*.tsv")}
    return found | data


@cache
def _source(path: Path) -> _Source:
    """Read a file, once for all scripts."""
    if path.suffix != ".py":
        return _Source(path.read_text(encoding="utf-8"))
    return _kept_sources().find(path, path.read_bytes())


class _KeptSources:
    """What was found in modules, by their path; ignored if another version of this file wrote it."""

    def __init__(self) -> None:
        self._finder = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        self._sources, self._has_news = self._read(), False

    def _read(self) -> dict[str, _Source]:
        try:
            kept = json.loads(gzip.decompress(KEPT.read_bytes()))
            sources = {path: _Source(*found) for path, found in kept["sources"].items()}
        except Exception:  # whatever is wrong with the file, it is made anew
            return {}
        return sources if kept["by"] == self._finder else {}

    def find(self, path: Path, data: bytes) -> _Source:
        """Parse the bytes of a module, unless they are the ones that were parsed before."""
        name, sha256 = path.relative_to(SCRIPTS).as_posix(), hashlib.sha256(data).hexdigest()
        if name not in self._sources or self._sources[name].sha256 != sha256:
            self._sources[name], self._has_news = _parse(data, path, sha256), True
        return self._sources[name]

    def save(self) -> None:
        """Write it, if anything was parsed; not where Python may not, or cannot, keep what it compiles."""
        if not self._has_news or sys.dont_write_bytecode:
            return
        part = KEPT.with_name(f"{KEPT.name}.{uuid.uuid4().hex}")
        try:
            KEPT.parent.mkdir(parents=True, exist_ok=True)
            content = json.dumps({"by": self._finder, "sources": self._sources})
            part.write_bytes(gzip.compress(content.encode(), compresslevel=1, mtime=0))
            part.replace(KEPT)
        except OSError:
            with suppress(OSError):
                part.unlink()
        self._has_news = False


_kept_sources = cache(_KeptSources)


@atexit.register
def keep_sources() -> None:
    """Write down what was parsed, for the next process; it happens by itself when this one ends."""
    _kept_sources().save()


def _parse(data: bytes, path: Path, sha256: str) -> _Source:
    """The syntax tree itself is not kept, it is many times as large."""
    tree = ast.parse(data, filename=str(path))
    names = {name for statement in _statements(tree) for name in _imported_names(statement)}
    return _Source(_content(tree), sorted(names), sha256)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements in a node, at any depth, and what holds statements: handlers and cases."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.stmt, ast.excepthandler, ast.match_case)):
            yield child
            yield from _statements(child)


def _imported_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _module_files(name: str) -> frozenset[Path]:
    """The files of this library that an import of a dotted name runs: its packages, and itself if it is a module."""
    if name.partition(".")[0] != LIBRARY.name:
        return frozenset()
    package, _, _ = name.rpartition(".")
    place = SCRIPTS.joinpath(*name.split("."))
    files = {path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()}
    return _module_files(package) | files


def _content(node: object) -> str:
    """A syntax tree as text, without docstrings, comments and layout.

    It is equal in all versions of Python; `ast.dump` and `ast.unparse` differ between them.
    """
    if isinstance(node, ast.AST):
        fields = [f"{name}={_content(value)}" for name, value in _essential_fields(node)]
        return f"{type(node).__name__}({', '.join(fields)})"
    if isinstance(node, list):
        return f"[{', '.join([_content(one) for one in node])}]"
    return ascii(node)


def _essential_fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    """The fields that are there, less docstrings and the empty strings that Python 3.12 finds in f-strings."""
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            yield name, value[1:] or [ast.Pass()]
        elif isinstance(node, ast.JoinedStr):
            yield name, [part for part in value if not (isinstance(part, ast.Constant) and part.value == "")]
        elif value is not None and value != []:
            yield name, value
