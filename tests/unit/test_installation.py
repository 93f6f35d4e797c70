"""Which PyTorch envs/install.sh installs, with a stand-in for the environment's Python that notes what it is to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
INDEX = "file:///an/index"
# Fails where a file of the same folder says so; prints a version for the last question.
PYTHON = """#!/bin/sh
folder=$(dirname "$0")
echo "$*" >> "$folder/calls"
case "$*" in
    *torch-cpu.txt*) test ! -e "$folder/no-cpu-wheels" ;;
    *complete_torchvision*) rm -f "$folder/no-import" ;;
    *"import torch, torchvision"*) test ! -e "$folder/no-import" ;;
    *__version__*) cat "$folder/version" ;;
esac
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment in a copy of envs/, beside a driver's program that fails."""
    shutil.copytree(REPOSITORY / "envs", tmp_path / "envs")
    folder = tmp_path / ".venv/bin"
    folder.mkdir(parents=True)
    for name, text in (("python", PYTHON), ("nvidia-smi", "#!/bin/sh\nexit 9\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "version").write_text("2.13.0+cpu\n")
    return folder


def install(environment: Path, **settings: str) -> tuple[str, list[str]]:
    """What it says, and the calls of Python."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("TORCH", "TORCH_INDEX")}
    path = f"{environment}:{os.environ['PATH']}"
    script = environment.parents[1] / "envs/install.sh"
    environ = inherited | settings | {"PATH": path}
    said = subprocess.run([script], env=environ, check=True, text=True, stdout=subprocess.PIPE).stdout
    return said.splitlines()[-1], (environment / "calls").read_text().splitlines()


def installed(calls: list[str]) -> list[str]:
    return [call.partition("--disable-pip-version-check ")[2] for call in calls if "pip install" in call]


without_driver = pytest.mark.skipif(Path("/proc/driver/nvidia/version").exists(), reason="there is an NVIDIA driver")
RUN = "--require-hashes -r envs/requirements.txt"
CPU = "--require-hashes -r envs/torch-cpu.txt"
CUDA = "--require-hashes -r envs/torch-cuda.txt"


@without_driver
def test_without_a_driver_it_is_that_for_cpus(environment: Path) -> None:
    said, calls = install(environment)
    assert said == "PyTorch 2.13.0+cpu: no NVIDIA driver is here"
    assert installed(calls) == [RUN, CPU]
    assert not any("complete_torchvision" in call for call in calls)
    assert (environment.parent / "torch").read_text().split() == ["cpu"]


@without_driver
def test_without_a_driver_and_a_wheel_for_cpus_it_is_that_for_gpus(environment: Path) -> None:
    (environment / "no-cpu-wheels").touch()
    (environment / "version").write_text("2.14.1+cu130\n")
    said, calls = install(environment)
    assert said.startswith("PyTorch 2.14.1+cu130: ") and "finds no build for CPUs" in said
    assert installed(calls) == [RUN, CPU, CUDA]
    assert (environment.parent / "torch").read_text().split() == ["cuda"]


def test_with_a_driver_it_is_that_for_gpus(environment: Path) -> None:
    (environment / "nvidia-smi").write_text("#!/bin/sh\n")
    said, calls = install(environment)
    assert said.endswith(": an NVIDIA driver is here")
    assert installed(calls) == [RUN, CUDA]


def test_a_torchvision_that_cannot_be_imported_is_completed(environment: Path) -> None:
    (environment / "no-import").touch()
    _, calls = install(environment, TORCH="cpu")
    assert installed(calls) == [RUN, CPU]
    assert [call for call in calls if "complete_torchvision" in call] == ["envs/complete_torchvision.py"]


def test_an_index_of_ones_own_is_a_further_one(environment: Path) -> None:
    _, calls = install(environment, TORCH="cpu", TORCH_INDEX=INDEX)
    assert installed(calls) == [f"--extra-index-url={INDEX} {given}" for given in (RUN, CPU)]
    assert (environment.parent / "torch").read_text().split() == ["cpu", INDEX]


def test_another_cuda_has_the_versions_of_the_lock(environment: Path) -> None:
    _, calls = install(environment, TORCH="cuda", TORCH_INDEX=INDEX)
    *_, last = installed(calls)
    assert last.startswith(f"--extra-index-url={INDEX} torch==") and " torchvision==" in last


@pytest.mark.parametrize("wanted", ["cuda", "cpu"])
def test_another_choice_makes_the_environment_anew(environment: Path, wanted: str) -> None:
    folder = environment.parents[1]
    shutil.copy(REPOSITORY / "Makefile", folder)
    for lock in (folder / "envs").glob("*.txt"):
        os.utime(lock, (0, 0))
    (environment.parent / "torch").write_text("cpu \n")
    (environment.parent / "ready").touch()
    command = ["make", "--dry-run", f"TORCH={wanted}", "TORCH_INDEX=", ".venv/ready"]
    done = subprocess.run(command, cwd=folder, check=True, text=True, capture_output=True).stdout
    assert ("venv --clear" in done) == (wanted == "cuda")
