"""Check, before the first job, what a run needs of a machine: the login node, or a compute node by the scheduler.

    python workflow_scripts/preflight.py runs/mine
    srun --gpus=1 --time=10 .venv/bin/python workflow_scripts/preflight.py runs/mine --gpu

prints a line for each check with what to do, and ends with status 1 where one failed. It writes small files into the
folder of the run and into `scratch`, and removes them.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import yaml

from bioscan1m.foundation.checkout import REPOSITORY
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.sources import Source
from bioscan1m.plan.configuration import validate_config
from bioscan1m.plan.manifest import read_manifest

OK, WARNING, FAILED = "ok", "warning", "FAILED"
PACKAGES = ("snakemake", "pyarrow.parquet", "pandas", "PIL.Image", "torch", "transformers", "matplotlib.figure")
SLOW_IMPORTS = 30  # seconds; on a local disk they take less than 10
LARGEST_SKEW = 2.0  # seconds between the clocks of node and file system; Snakemake compares times of files
# docs/sources.md, disk by stage: a published chunk has 20 GB, and what is made of it 4 GB.
CHUNK_BYTES, MADE_OF_A_BYTE = 20 * 10**9, 0.2
# docs/scale.md: 5,700 for 113 chunks with 72 trainings, with Snakemake's notes.
FILES_PER_CHUNK, FURTHER_FILES = 22, 3_500
USE_THE_GPU = (
    "import torch; x = torch.ones(64, 64, device='cuda'); print(torch.cuda.get_device_name(), int((x @ x)[0, 0]))"
)


@dataclass(frozen=True)
class NodeCheck:
    """The result of one check; `remedy` is what to do, empty where all is well."""

    name: str
    result: str
    found: str
    remedy: str = ""


def check_packages() -> NodeCheck:
    """Whether the environment can be imported here, and how long that takes."""
    started = time.perf_counter()
    done = _printed(sys.executable, "-c", f"import {', '.join(PACKAGES)}")
    seconds = time.perf_counter() - started
    if done.returncode:
        return NodeCheck(
            "packages", FAILED, _last_line(done.stderr), "put the checkout with its .venv where this node sees it"
        )
    found = f"imported in {seconds:.0f} s"
    if seconds > SLOW_IMPORTS:
        remedy = "each job waits so long: let nodes unpack .venv, as one file, on their own disk (docs/cluster.md)"
        return NodeCheck("packages", WARNING, found, remedy)
    return NodeCheck("packages", OK, found)


def check_gpu() -> NodeCheck:
    """Whether PyTorch computes on the GPU."""
    done = _printed(sys.executable, "-c", USE_THE_GPU)
    if done.returncode == 0:
        return NodeCheck("GPU", OK, done.stdout.strip().removesuffix(" 64"))
    remedy = (
        "ask the scheduler for a GPU; install PyTorch for GPUs (make TORCH=cuda), for the CUDA of the node's driver"
    )
    return NodeCheck("GPU", FAILED, _last_line(done.stderr), f"{remedy}: docs/installation.md")


def check_room(run: Path, chunks: Collection[Source], keep_chunks: bool) -> Iterator[NodeCheck]:
    """Whether the run's folder has bytes and inodes for what a whole run writes."""
    fetched = sum(chunk.get("bytes") or CHUNK_BYTES for chunk in chunks)
    needed, free = fetched * (MADE_OF_A_BYTE + keep_chunks), shutil.disk_usage(run).free
    found = f"{free / 1e9:,.1f} GB free, about {needed / 1e9:,.1f} GB needed for {len(chunks)} chunks"
    if unknown := sum(not chunk.get("bytes") for chunk in chunks):
        found += f" (20 GB assumed for each of {unknown} whose bytes are not in the manifest)"
    remedy = "make room, or set fetch.keep_chunks: false, or start from published crops (docs/sources.md)"
    yield NodeCheck("disk", OK, found) if free > needed else NodeCheck("disk", WARNING, found, remedy)
    files, inodes = len(chunks) * FILES_PER_CHUNK + FURTHER_FILES, os.statvfs(run)
    if inodes.f_files:  # some file systems have no fixed number
        found = f"{inodes.f_favail:,} free, about {files:,} needed"
        enough = inodes.f_favail > files
        yield (
            NodeCheck("inodes", OK, found)
            if enough
            else NodeCheck("inodes", WARNING, found, "ask for a larger quota of files")
        )


def check_clock(run: Path) -> NodeCheck:
    """Whether the times of new files are those of this node's clock."""
    with tempfile.NamedTemporaryFile(dir=run) as file:
        skew = Path(file.name).stat().st_mtime - time.time()
    found = f"{skew:+.1f} s between file system and node"
    remedy = "have the clocks set (NTP): Snakemake decides by times of files what is to be made again"
    return NodeCheck("clock", OK, found) if abs(skew) < LARGEST_SKEW else NodeCheck("clock", FAILED, found, remedy)


def check_locks(folder: Path) -> NodeCheck:
    """Whether the file system of a folder locks files; copies in `scratch` are kept apart by locks."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return NodeCheck("locks in scratch", WARNING, str(error), "jobs read in place: name another folder as scratch")
    return NodeCheck("locks in scratch", OK, "files can be locked")


def check_hdf5(run: Path) -> NodeCheck:
    """Whether an HDF5 file can be written and read."""
    with tempfile.TemporaryDirectory(dir=run) as folder:
        path = Path(folder, "package.hdf5")
        with h5py.File(path, "w", locking=False) as file:
            file["image"] = b"pixels"
        with h5py.File(path, locking=False) as file:
            right = file["image"][()] == b"pixels"
    return (
        NodeCheck("HDF5", OK, "written and read")
        if right
        else NodeCheck("HDF5", FAILED, "other bytes read", "use another disk")
    )


def check_scratch(scratch: str) -> Iterator[NodeCheck]:
    """Whether `scratch` of the config is a folder here that can be written to; for copies of what jobs read."""
    folder = Path(os.path.expandvars(scratch))
    remedy = "jobs read in place, slowly: name a folder on the node's disk that is there in jobs (docs/cluster.md)"
    if "$" in str(folder) or not os.access(folder, os.W_OK):
        reason = "the variable is not set here" if "$" in str(folder) else "no folder that can be written to"
        yield NodeCheck("scratch", WARNING, f"{scratch}: {reason}", remedy)
        return
    yield NodeCheck("scratch", OK, f"{folder}: {shutil.disk_usage(folder).free // 10**9:,} GB free")
    yield check_locks(folder)


def check_scheduler() -> Iterator[NodeCheck]:
    """What SLURM has, where its commands are: partitions with their limits, and accounting."""
    if not shutil.which("sinfo"):
        return
    partitions = _printed("sinfo", "-h", "-o", "%P %l %G")
    if partitions.returncode:
        remedy = "without SLURM, Snakemake runs jobs on this machine alone: is this a login node?"
        yield NodeCheck("SLURM", WARNING, f"sinfo does not work: {_last_line(partitions.stderr)}", remedy)
        return
    limits = "; ".join(sorted(set(partitions.stdout.splitlines())))
    yield NodeCheck("partitions", OK, f"{limits} (partition, longest time, GPUs)")
    works = bool(shutil.which("sacct")) and _printed("sacct", "-n", "-X").returncode == 0
    yield NodeCheck("accounting", OK, "sacct works" if works else "none: the queue is asked for the state of jobs")


def check_all(run: Path, gpu: bool) -> list[NodeCheck]:
    """All checks for the run in a folder, with that of a GPU if asked for.

    Raises InputError where the folder has no config, or config or manifest have mistakes.
    """
    config = _read_config(run)
    originals = config["entry"]["from"] == "originals"
    checks = [check_packages(), *([check_gpu()] if gpu else [])]
    if originals:
        chunks = read_manifest(run / config["chunks"])
        checks += check_room(run, chunks.values(), config["fetch"]["keep_chunks"])
    checks += [_tried("clock", check_clock, run), _tried("HDF5", check_hdf5, run)]
    if config["scratch"]:
        checks += check_scratch(config["scratch"])
    return [*checks, *check_scheduler()]


def _read_config(run: Path) -> dict:
    path = run / "config.yaml"
    if not path.is_file():
        raise InputError(f"{path} is not there: name the folder of a run, with its config.yaml")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no readable YAML ({' '.join(str(error).split())})") from None
    validate_config(config, REPOSITORY / "rules/schemas/config.schema.yaml")
    return config


def _tried(name: str, check: Callable[[Path], NodeCheck], run: Path) -> NodeCheck:
    """The check, or the reason why its files cannot be written."""
    try:
        return check(run)
    except OSError as error:
        return NodeCheck(name, FAILED, str(error), "the folder of the run must be writable from here")


def _printed(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _last_line(text: str) -> str:
    return (text.strip() or "no message").splitlines()[-1]


def as_lines(checks: list[NodeCheck]) -> str:
    """One line for each check, with its remedy below."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.result:8}{check.name:{width}}  {check.found}")
        if check.remedy:
            lines.append(f"{'':{8 + width}}  -> {check.remedy}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", default=Path(), help="the folder of the run; by default this one")
    parser.add_argument("--gpu", action="store_true", help="the node should have a GPU")
    given = parser.parse_args()
    try:
        checks = check_all(given.run, given.gpu)
    except InputError as error:
        sys.stderr.write(f"preflight: {error}\n")
        return 2
    sys.stdout.write(as_lines(checks))
    return int(any(check.result == FAILED for check in checks))


if __name__ == "__main__":
    as_command(main)
