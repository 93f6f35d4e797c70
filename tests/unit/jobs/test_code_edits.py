"""What edits of this project's own code change of its digests, and what of the code they can change at all."""

from __future__ import annotations

import ast
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_edits import EDITS, Edit, apply

from bioscan1m.jobs.code_digest import LIBRARY, SCRIPTS, Code
from bioscan1m.jobs.counted_syntax import ENDS_JOB, LOG_LEVELS, NOT_COUNTED, PROGRESS
from bioscan1m.jobs.definitions import PLAIN_DECORATORS

RULES = SCRIPTS.parent / "rules"
SCRIPTS_OF_RULES = {
    name for file in RULES.glob("*.smk") for name in re.findall(r'code_digest\("(\w+)"\)', file.read_text())
}
OF_DOWNLOADS = {"fetch_chunk", "fetch_file"}  # hand such errors on; another digest does not run them again
# What is called where a module is imported, beside classes and functions of the library: it only makes a value.
MAKING = {
    *(
        "ContextVar",
        "Fraction",
        "Lock",
        "Path",
        "Struct",
        "TypeVar",
        "array",
        "compile",
        "enumerate",
        "fromkeys",
        "frozenset",
        "getattr",
    ),
    *("getLogger", "list", "object", "range", "str", "with_name", "with_suffix", "cache_from_source"),
    *("ParseOptions", "binary", "bool_", "float32", "int32", "schema", "string"),
}
BROAD = {"BaseException", "Exception", "ValueError"}  # classes above InputError


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The project's workflow_scripts, to edit."""
    return Path(shutil.copytree(SCRIPTS, tmp_path / "workflow_scripts", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    """The digests of today's code."""
    return digests(SCRIPTS)


def digests(scripts: Path) -> dict[str, str]:
    """Script -> digest, of the scripts that rules run, by the code in a folder."""
    code = Code(scripts)
    return {name: code.digest(name) for name in sorted(SCRIPTS_OF_RULES)}


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_runs_again_what_it_can_change(edit: Edit, copied: Path, before: dict[str, str]) -> None:
    apply(edit.changes, copied)
    after = digests(copied)
    assert {name for name in before if after[name] != before[name]} == edit.runs


def test_reworded_log_messages_in_every_module_change_no_digest(copied: Path, before: dict[str, str]) -> None:
    reworded = sum(reword(path, _texts_of_logs) for path in copied.rglob("*.py"))
    assert reworded > 40
    assert digests(copied) == before


def test_reworded_errors_that_end_a_job_change_no_digest(copied: Path, before: dict[str, str]) -> None:
    reworded = sum(reword(path, _texts_of_errors) for path in copied.rglob("*.py"))
    assert reworded > 150
    after = digests(copied)
    assert {name for name in before if after[name] != before[name]} <= OF_DOWNLOADS


def reword(path: Path, texts: object) -> int:
    """Put a word into each of the texts that `texts` finds in a module; how many there are."""
    lines = path.read_bytes().splitlines(keepends=True)
    places = sorted({(node.lineno - 1, node.col_offset) for node in texts(ast.parse(b"".join(lines)))}, reverse=True)
    for row, column in places:
        quote = re.match(rb"[a-zA-Z]*(\"\"\"|\"|')", lines[row][column:])
        at = column + quote.end()
        lines[row] = lines[row][:at] + b"reworded " + lines[row][at:]
    path.write_bytes(b"".join(lines))
    return len(places)


def _texts_of_logs(tree: ast.Module) -> Iterator[ast.expr]:
    calls = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    for call in calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in LOG_LEVELS and call.args:
            yield from (call.args[0],) if isinstance(call.args[0], ast.Constant | ast.JoinedStr) else ()


def _texts_of_errors(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "InputError" and node.args:
            yield from (node.args[0],) if isinstance(node.args[0], ast.Constant | ast.JoinedStr) else ()


def parsed() -> Iterator[tuple[Path, ast.Module]]:
    """Each module of the library, and each script."""
    for path in [*SCRIPTS.glob("*.py"), *LIBRARY.rglob("*.py")]:
        yield path, ast.parse(path.read_bytes())


def defined_in(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines on its own level: functions, classes, and what is assigned."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name
        for node in ast.walk(statement) if isinstance(statement, ast.Assign | ast.AnnAssign) else ():
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def test_the_names_that_decide_what_counts_are_those_of_one_definition_each() -> None:
    """Another function or constant of the name `job`, or another class `InputError`, would be left out as well."""
    defined = Counter(name for _, tree in parsed() for name in defined_in(tree))
    own = NOT_COUNTED | {"InputError"}
    assert {name: defined[name] for name in own} == dict.fromkeys(own, 1)
    assert not PLAIN_DECORATORS & set(defined)


def test_names_are_imported_in_the_way_that_the_digest_follows() -> None:
    """Once each, by their own names, and not defined as well: the digest knows one origin of a name."""
    for path, tree in parsed():
        origins: dict[str, set[str]] = {}
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.ImportFrom) and (node.level or node.names[0].name == "*")), path
            for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
                module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                origins.setdefault(alias.asname or alias.name.partition(".")[0], set()).add(module + alias.name)
        assert {name: found for name, found in origins.items() if len(found) > 1} == {}, path
        assert not set(origins) & set(defined_in(tree)), path
        assert not {module.partition(".")[0] for found in origins.values() for module in found} & UNFOLLOWED, path


UNFOLLOWED = {"importlib.import_module", *(path.stem for path in SCRIPTS.glob("*.py"))}


def test_importing_a_module_calls_nothing_that_does_more_than_to_make_a_value() -> None:
    own = {name for _, tree in parsed() for name in defined_in(tree)}
    for path, tree in parsed():
        for statement in tree.body:
            value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
            for node in ast.walk(value) if value else ():
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    assert name in MAKING | own, f"{path}:{node.lineno}: {name}"


def test_loggers_and_progress_are_what_their_names_say() -> None:
    """Calls of them are left out by name."""
    for path, tree in parsed():
        for node in ast.walk(tree):
            for target in node.targets if isinstance(node, ast.Assign) else ():
                named = getattr(target, "attr", getattr(target, "id", ""))
                made = ast.unparse(node.value).partition("(")[0]
                assert named != "logger" or made == "logging.getLogger", f"{path}:{node.lineno}"
                assert named not in PROGRESS or made in ("Progress", "progress"), f"{path}:{node.lineno}"


def test_no_handler_of_all_errors_writes_the_text_of_one_that_ends_the_job() -> None:
    """Such text is left out of the digests unless a handler names its class: so what it catches must not be one."""
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Try):
                assert not _looks_at_any_error(node) or not _raises(node.body, ENDS_JOB), f"{path}:{node.lineno}"


def _looks_at_any_error(node: ast.Try) -> bool:
    for handler in node.handlers:
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        names = {getattr(kind, "id", "") for kind in kinds}
        if "InputError" in names:
            return False
        if handler.name and names & BROAD and not isinstance(handler.body[-1], ast.Raise):
            return True
    return False


def _raises(body: list[ast.stmt], names: frozenset[str]) -> bool:
    calls = (node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call))
    return any(getattr(call.func, "id", "") in names for call in calls)
