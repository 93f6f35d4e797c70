"""The record of a job: what went in, what came out, with which code, parameters, software and machine.

Paths are kept as the rule names them, relative to the folder of the run, so that a results folder can move. Nothing of
the environment is copied, so that no secret can slip in.
"""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
# The packages whose version can change a result.
PACKAGES = (
    "snakemake",
    "numpy",
    "pandas",
    "pyarrow",
    "pillow",
    "h5py",
    "torch",
    "torchvision",
    "transformers",
    "safetensors",
    "scikit-learn",
    "pycocotools",
)


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_file(path: str | Path) -> dict[str, Any]:
    """Path, size in bytes, time of the last change in nanoseconds, and SHA-256 of a file."""
    status = Path(path).stat()
    return {
        "path": str(path),
        "bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "sha256": file_digest(path),
    }


def describe_files(paths: list[str]) -> list[dict[str, Any]]:
    """Describe each file, in order, on all cores."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(describe_file, paths))


def now() -> str:
    """The time in UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def source_state() -> dict[str, Any]:
    """The commit of the checkout that ran and whether it had uncommitted changes; None where git cannot tell."""
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit or None, "dirty": None if changes is None else bool(changes)}


def software() -> dict[str, str]:
    """Versions of Python and of those packages that matter, as far as they are installed."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def machine() -> dict[str, Any]:
    """Host, processor, cores and, where the job used torch on one, the GPU."""
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "gpu": gpu,
        "slurm_job_id": os.environ.get("SLURM_JOB_ID"),
    }


def peak_memory() -> int:
    """The largest resident memory so far of this process or of one of its children, in bytes (Linux counts KiB)."""
    return 1024 * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _git(*arguments: str) -> str | None:
    try:
        run = subprocess.run(
            ["git", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
