"""The layers of the library: imports go down only, and a word means one thing."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"
LIBRARY = SCRIPTS / "bioscan1m"
# From the ground up. Of stages, each may use those before it in the flow of the data. `jobs` knows no stage, and no
# stage knows `jobs`.
STAGES = ("fetch", "detector", "crop", "package", "metadata", "experiments", "inference", "plan")
BELOW = {
    "foundation": set(),
    "networks": {"foundation"},
    "boxes": {"foundation"},
    "jobs": {"foundation"},
    **{stage: {"foundation", "networks", "boxes", *STAGES[:place]} for place, stage in enumerate(STAGES)},
    "audit": {"foundation", "networks", "boxes", "jobs", *STAGES},
}
MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path.name != "__init__.py")


def imports(path: Path) -> Iterator[str]:
    """The dotted names of the library's modules that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("bioscan1m"):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("bioscan1m"))


def package(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0]


def test_every_module_lies_in_a_layer() -> None:
    assert {package(path) for path in MODULES} == set(BELOW)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_a_module_imports_only_from_below(path: Path) -> None:
    used = {name.split(".")[1] for name in imports(path)}
    assert used <= BELOW[package(path)] | {package(path)}


def test_no_module_imports_in_a_circle() -> None:
    above = {path: {SCRIPTS / f"{name.replace('.', '/')}.py" for name in imports(path)} for path in MODULES}
    left = dict(above)
    while free := [path for path, used in left.items() if not used & left.keys()]:
        for path in free:
            del left[path]
    assert not left


def test_no_module_repeats_the_name_of_its_package() -> None:
    assert [path for path in MODULES if path.stem.startswith(package(path)) or path.stem == f"{package(path)}s"] == []


def test_no_two_public_classes_or_functions_have_one_name() -> None:
    places = defaultdict(list)
    for path in [*MODULES, *SCRIPTS.glob("*.py"), *(SCRIPTS / "synthetic").glob("*.py")]:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef)
                and not node.name.startswith("_")
                and node.name != "main"
            ):
                places[node.name].append(path.relative_to(SCRIPTS).as_posix())
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_script_of_a_rule_imports_from_the_future() -> None:
    """Snakemake writes its own lines before those of a script, and such an import has to be the first line."""
    rules = "".join(path.read_text(encoding="utf-8") for path in (SCRIPTS.parent / "rules").glob("*.smk"))
    scripts = [SCRIPTS / f"{name}.py" for name in set(re.findall(r"workflow_scripts/(\w+)\.py", rules))]
    assert [path.name for path in scripts if "from __future__" in path.read_text(encoding="utf-8")] == []
