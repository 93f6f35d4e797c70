"""The locks, the conda environments and pyproject.toml name the same versions, and pyproject.toml what is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENTS = sorted((REPOSITORY / "envs").glob("*.yaml"))
RULE_FILES = sorted((REPOSITORY / "rules").glob("*.smk"))
PYTHONS = ("3.11", "3.12", "3.13")
NAME_ON_CONDA = {"pytorch": "torch", "huggingface_hub": "huggingface-hub"}


LOCKS = {
    "run": ["requirements", "torch-cuda"],
    "run on CPUs": ["requirements", "torch-cpu"],
    "development": ["requirements", "torch-cuda", "requirements-dev"],
    "development on CPUs": ["requirements", "torch-cpu", "requirements-dev"],
}


def entries_of(name: str) -> list[str]:
    """The requirements of a file with their hashes."""
    text = (REPOSITORY / f"envs/{name}.txt").read_text()
    return re.split(r"\n(?=[A-Za-z])", text)[1:]


def locked(lock: str, python: str) -> dict[str, str]:
    """Package -> version in the files of a lock for one version of Python on Linux."""
    environment = default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
    }
    lines = [entry.splitlines()[0].rstrip(" \\") for name in LOCKS[lock] for entry in entries_of(name)]
    entries = [entry for entry in map(Requirement, lines) if entry.marker is None or entry.marker.evaluate(environment)]
    chosen = {(canonicalize_name(entry.name), str(entry.specifier).removeprefix("==")) for entry in entries}
    assert len(dict(chosen)) == len(chosen), "two versions of one package"
    return dict(chosen)


def direct_dependencies(*extras: str) -> list[Requirement]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_a_version_in_range_of_every_direct_dependency(lock: str, python: str) -> None:
    versions = locked(lock, python)
    wanted = direct_dependencies(*["dev"] if "dev" in lock else [])
    outside = [str(r) for r in wanted if not r.specifier.contains(versions[canonicalize_name(r.name)])]
    assert outside == []


def test_a_run_installs_nothing_that_only_development_needs() -> None:
    run = {canonicalize_name(requirement.name) for requirement in direct_dependencies()}
    development = {canonicalize_name(requirement.name) for requirement in direct_dependencies("dev")} - run
    brought_along = {"filelock", "packaging", "scikit-learn"}  # by what a run needs
    assert development & set(locked("run", PYTHONS[0])) == brought_along
    assert not any(name.startswith("nvidia-") for name in locked("run on CPUs", PYTHONS[0]))


def test_every_locked_package_has_a_hash_and_no_file_an_address() -> None:
    for name in sorted({name for names in LOCKS.values() for name in names}):
        assert [entry.split("==")[0] for entry in entries_of(name) if "--hash=sha256:" not in entry] == []
        text = (REPOSITORY / f"envs/{name}.txt").read_text()
        assert "://" not in text and "--index" not in text and "--extra-index" not in text


def test_a_lock_for_every_file_of_requirements() -> None:
    files = {path.stem for path in (REPOSITORY / "envs").glob("*.txt")}
    assert files == {name for names in LOCKS.values() for name in names}


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_conda_environment_agrees_with_the_lock(path: Path) -> None:
    environment = yaml.safe_load(path.read_text())
    pins = dict(entry.split("=") for entry in environment["dependencies"])
    versions = locked("development", pins.pop("python"))
    different = {
        name: (pin, versions.get(NAME_ON_CONDA.get(name, name)))
        for name, pin in pins.items()
        if pin != versions.get(NAME_ON_CONDA.get(name, name))
    }
    assert different == {}


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_every_rule_that_runs_has_an_environment_a_log_and_a_record(path: Path) -> None:
    rules = re.split(r"\n(?=rule )", path.read_text())[1:]
    running = [rule for rule in rules if "script:" in rule]
    without = [
        rule.split(":")[0] for rule in running if not all(d in rule for d in ("conda:", "log:", "record=", "code="))
    ]
    assert without == []
    named = {name for rule in running for name in re.findall(r'"\.\./(envs/[^"]+)"', rule)}
    assert all((REPOSITORY / name).is_file() for name in named)


def test_every_rule_that_fetches_is_local_and_counts_as_a_download() -> None:
    """Also one that is made of another: a rule takes over resources from that, but not where it runs."""
    text = "\n\n".join(path.read_text() for path in RULE_FILES)
    rules = re.split(r"\n\n+(?=rule |use rule )", text)
    fetching = [rule for rule in rules if re.match(r"rule fetch_|use rule \w+ as fetch_", rule)]
    assert len(fetching) > 5 and sum(rule.startswith("use ") for rule in fetching) > 1
    assert [rule for rule in fetching if "localrule: True" not in rule] == []
    assert [rule for rule in fetching if rule.startswith("rule ") and "downloads=1" not in rule] == []
    taken_over = {re.search(r"use rule (\w+) as", rule)[1] for rule in fetching if rule.startswith("use ")}
    assert taken_over <= {re.match(r"(?:use rule \w+ as|rule) (\w+)", rule)[1] for rule in fetching}


def test_every_script_of_a_rule_exists() -> None:
    named = {name for path in RULE_FILES for name in re.findall(r'"\.\./(workflow_scripts/[^"]+)"', path.read_text())}
    assert named
    assert [name for name in sorted(named) if not (REPOSITORY / name).is_file()] == []


def test_the_hosted_tests_are_those_of_ci_run_on_the_pythons_of_the_project() -> None:
    (job,) = yaml.safe_load((REPOSITORY / ".github/workflows/tests.yml").read_text())["jobs"].values()
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    assert {PYTHONS[0], PYTHONS[-1]} <= set(job["strategy"]["matrix"]["python"]) <= set(PYTHONS)


# Declared without being imported here: who needs it.
NOT_IMPORTED = {
    "snakemake-executor-plugin-slurm": "Snakemake loads it by name (profiles/slurm)",
    "snakemake-executor-plugin-slurm-jobstep": "the former's jobs load it by name",
    "pygments": "Snakemake colours the scripts in a report by it",
    "s3fs": "fsspec opens s3:// by it",
    "gcsfs": "fsspec opens gs:// by it",
    "pytest-xdist": "the options -n and --dist of pytest",
    "mypy": "make lint",
    "ruff": "make lint",
    "snakefmt": "make lint",
    "flask": "the server of moto",
    "flask-cors": "the server of moto",
    "uv": "envs/test_lowest.sh",
}
# Imported without being declared: what brings it along, and is declared.
BROUGHT_ALONG = {
    "docutils": "snakemake",
    "jinja2": "snakemake",
    "aiohttp": "gcsfs",
    "boto3": "moto",
    "urllib3": "requests",
    "requests-cache": "roc-validator",
}
CODE = [path for folder in ("workflow_scripts", "tests") for path in (REPOSITORY / folder).rglob("*.py")]
OWN = {path.stem for path in CODE} | {path.parent.name for path in CODE if path.name == "__init__.py"}
OF_A_RUN = [path for path in CODE if path.is_relative_to(REPOSITORY / "workflow_scripts")]
OF_TESTS = [path for path in CODE if path.is_relative_to(REPOSITORY / "tests")]


def imported(paths: list[Path]) -> set[str]:
    """The modules of others that this code imports, wherever it does, by the first part of their names."""
    return set().union(*map(imported_by, paths)) - set(sys.stdlib_module_names) - OWN


@cache
def imported_by(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(str(node.module))
    return {module.split(".")[0] for module in modules}


def imported_by_rules() -> set[str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "Snakefile", *RULE_FILES))
    modules = set(re.findall(r"^\s*(?:from|import) (\w+)", text, flags=re.MULTILINE))
    return modules - set(sys.stdlib_module_names) - OWN


def distributions_of(module: str) -> set[str]:
    return {canonicalize_name(name) for name in installed().get(module, [])}


@cache
def installed() -> Mapping[str, list[str]]:
    """Module -> its distributions; to look at all of them takes seconds."""
    return packages_distributions()


def names_of(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def undeclared(modules: set[str], declared: set[str]) -> set[str]:
    """Those that no declared distribution has or brings along."""
    allowed = declared | {name for name, by in BROUGHT_ALONG.items() if by in declared}
    return {module for module in modules if not distributions_of(module) & allowed}


def test_what_a_run_imports_is_declared() -> None:
    modules = imported(OF_A_RUN) | imported_by_rules()
    assert {"torch", "numpy", "snakemake"} <= modules
    assert undeclared(modules, names_of(direct_dependencies("cloud", "excel", "heic", "tensorboard"))) == set()


def test_what_the_tests_import_is_declared() -> None:
    modules = imported(OF_TESTS)
    assert {"pytest", "moto", "torch"} <= modules
    assert undeclared(modules, names_of(direct_dependencies("dev"))) == set()


def test_what_is_declared_is_imported_or_has_a_reason() -> None:
    of_a_run = set().union(*map(distributions_of, imported(OF_A_RUN) | imported_by_rules()))
    of_tests = set().union(*map(distributions_of, imported(OF_TESTS)))
    not_imported = names_of(direct_dependencies()) - of_a_run
    not_imported |= names_of(direct_dependencies("cloud", "excel", "heic", "tensorboard", "dev")) - of_a_run - of_tests
    assert not_imported == set(NOT_IMPORTED)


def test_the_lowest_torch_is_that_for_cpus() -> None:
    """So that the unit tests with the lowest versions run with it where no GPU is."""
    lowest = {requirement.name: str(requirement.specifier) for requirement in direct_dependencies()}
    versions = locked("run on CPUs", PYTHONS[0])
    for name in ("torch", "torchvision"):
        assert f">={versions[name].partition('+')[0].removesuffix('.0')}" in lowest[name].split(",")
