"""Every suite of the benchmarks does its work, and what a GPU computes does so without most of the packages."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from benchmark.__main__ import GPU_SUITES, SUITES

REPOSITORY = Path(__file__).parents[2]
IN_REPOSITORY = [REPOSITORY / "tests", REPOSITORY / "workflow_scripts"]
ON_A_GPU_MACHINE = ["torch", "torchvision", "transformers", "h5py", "pyarrow", "pandas", "Pillow"]
# Minutes on two cores that others use too.
SLOW = dict.fromkeys(("detector", "training", "provenance", "workflow"), pytest.mark.slow)
COARSE = {"workflow": 6}  # the jobs of the plain workflow come in sixes


def python(*arguments: str, packages: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run this Python; with `packages` it has those that lie there and no others."""
    flags, paths = ([], IN_REPOSITORY) if packages is None else (["-S"], [*IN_REPOSITORY, packages])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    command = [sys.executable, *flags, *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, text=True, capture_output=True, check=False)


def done_by(suite: str, packages: Path | None = None) -> dict[str, Any]:
    """What the suite at the smallest sizes says that it did."""
    done = python("-m", "small_benchmarks", suite, packages=packages)
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def few_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the packages of a GPU machine and what these need."""
    folder = tmp_path_factory.mktemp("packages")
    for package in with_requirements(ON_A_GPU_MACHINE):
        site = Path(package.locate_file(""))
        for name in {path.parts[0] for path in package.files} - {"..", "__pycache__"}:
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(site / name)
    return folder


def with_requirements(names: list[str]) -> list[Distribution]:
    """The packages of these names, and those that they cannot do without."""
    found: dict[str, Distribution] = {}
    while names:
        name = re.sub(r"[-_.]+", "-", names[0]).lower()
        names = names[1:]
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # of another system
        if name not in found:
            found[name] = package
            needed = map(Requirement, package.requires or [])
            names += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return list(found.values())


@pytest.mark.parametrize("suite", [pytest.param(suite, marks=SLOW.get(suite, ())) for suite in SUITES])
def test_all_variants_of_a_stage_do_as_much_and_say_what(suite: str, request: pytest.FixtureRequest) -> None:
    packages = request.getfixturevalue("few_packages") if suite in GPU_SUITES else None
    done = done_by(suite, packages)
    assert done["stages"]
    for stage, variants in done["stages"].items():
        assert {"ours", "limit"} <= set(variants), stage
        meanings, counts = zip(*variants.values(), strict=True)
        assert 0 < max(counts) < min(counts) + COARSE.get(suite, 1), f"{stage}: {variants}"
        assert all(meanings) and len(set(meanings)) == len(meanings), f"{stage}: {variants}"
    assert done["further"].get("smallest_iou_with_the_naive_boxes", 1) > 0.99
    assert done["further"].get("decodes_per_tested_image", 1) == 1


def test_every_stage_but_plans_and_an_audit_that_hashes_nothing_is_held_against_the_naive_way() -> None:
    stages = [stage for suite in SUITES for stage in importlib.import_module(f"benchmark.{suite}").stages()]
    without = [stage.name for stage in stages if "reference" not in stage.variants]
    assert len(stages) > len(without) + 10
    assert [name for name in without if not re.match(r"dry run|nothing to do|audit by size", name)] == []


def test_a_gpu_machine_needs_few_packages(few_packages: Path) -> None:
    absent = python("-c", "import snakemake", packages=few_packages)
    assert "No module named 'snakemake'" in absent.stderr
    imports = "import benchmark.__main__, " + ", ".join(f"benchmark.{suite}" for suite in GPU_SUITES)
    loaded = python("-c", imports, packages=few_packages)
    assert loaded.returncode == 0, loaded.stderr


def test_stages_without_a_network_do_not_count_the_memory_of_torch() -> None:
    imports = ", ".join(f"benchmark.{suite}" for suite in SUITES if suite not in GPU_SUITES)
    assert python("-c", f"import sys, {imports}; print('torch' in sys.modules)").stdout == "False\n"


def test_without_a_gpu_it_says_what_was_skipped() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "bench-gpu"],
        cwd=REPOSITORY,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()[-1]
    assert said.startswith("No GPU here; skipped: ")
    assert [suite for suite in GPU_SUITES if f"{suite} (" not in said] == []
