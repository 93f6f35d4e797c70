"""Write the locks of envs/ from the ranges in pyproject.toml, for Python 3.11 to 3.13; it needs uv (`make lock`).

What is pinned already stays as it is where it still fits; arguments go to uv, such as `--upgrade-package pandas`. The
lock for CPUs is written where TORCH_INDEX names an index of their wheels, and is kept as it is otherwise.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent / "pyproject.toml"
RUN, DEVELOPMENT = HERE / "requirements.txt", HERE / "requirements-dev.txt"
CUDA, CPU = HERE / "torch-cuda.txt", HERE / "torch-cpu.txt"
OF_TORCH = re.compile(r"torch|torchvision|triton|nvidia-.*|cuda-.*")
TORCH_ON_CPUS = "torch==2.13.0+cpu"
# With the hashes of both builds: see complete_torchvision.py.
TORCHVISION_ON_CPUS = "torchvision==0.28.0"

Lock = dict[str, str]  # requirement, with its marker -> its hashes


def main(further: list[str]) -> None:
    """Write the locks; `further` are options of uv, such as --upgrade."""
    pinned = "".join(path.read_text() for path in (RUN, DEVELOPMENT, CUDA) if path.exists())
    everything = compiled(PROJECT, "--extra", "dev", *further, pinned=pinned)
    run = compiled(PROJECT, "--constraints", "-", given="\n".join(everything))
    of_torch = {entry: hashes for entry, hashes in run.items() if OF_TORCH.fullmatch(name_of(entry))}
    write(RUN, "What a run needs but PyTorch.", without(run, of_torch))
    write(DEVELOPMENT, "What development needs besides.", without(everything, run))
    write(CUDA, "PyTorch for NVIDIA GPUs.", of_torch)
    if index := os.environ.get("TORCH_INDEX"):
        write(CPU, "PyTorch for CPUs.", for_cpus(index))
    else:
        print(f"{CPU.name} is kept: TORCH_INDEX has to name an index of PyTorch's wheels for CPUs to write it")


def for_cpus(index: str) -> Lock:
    """PyTorch's wheels for CPUs in this index, and those of torchvision in the usual index too."""
    there = ("--no-deps", "--index", index, "--index-strategy", "unsafe-best-match")
    lock = compiled("-", *there, given=f"{TORCH_ON_CPUS}\n{TORCHVISION_ON_CPUS}+cpu")
    usual = compiled("-", "--no-deps", given=TORCHVISION_ON_CPUS)
    both = {*lock.pop(f"{TORCHVISION_ON_CPUS}+cpu").splitlines(), *usual[TORCHVISION_ON_CPUS].splitlines()}
    return lock | {TORCHVISION_ON_CPUS: "\n".join(sorted(both))}


def compiled(source: Path | str, *options: str, given: str = "", pinned: str = "") -> Lock:
    """What uv resolves; `given` is its standard input, `pinned` are versions that it keeps where they fit."""
    command = ["uv", "pip", "compile", source, "--universal", "--python-version", "3.11", "--generate-hashes"]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "lock.txt")
        output.write_text(pinned)
        command += ["--no-annotate", "--no-header", "--quiet", "--output-file", output, *options]
        subprocess.run(command, check=True, text=True, input=given)
        entries = re.split(r"\n(?=[a-z])", output.read_text().strip())
    return dict(entry.replace(" \\\n", "\n").split("\n", maxsplit=1) for entry in entries)


def without(lock: Lock, other: Lock) -> Lock:
    """The entries of a lock that another does not have."""
    return {entry: hashes for entry, hashes in lock.items() if entry not in other}


def name_of(entry: str) -> str:
    """The name of the package of an entry."""
    return entry.split("==")[0]


def write(path: Path, content: str, lock: Lock) -> None:
    """Write a lock as requirements of pip with hashes; `content` is its first line."""
    entries = ["\n".join([entry, *hashes.splitlines()]).replace("\n", " \\\n") for entry, hashes in lock.items()]
    path.write_text("\n".join([f"# {content} Written by `make lock`.", *entries, ""]))


if __name__ == "__main__":
    main(sys.argv[1:])
