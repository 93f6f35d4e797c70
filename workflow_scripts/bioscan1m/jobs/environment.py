"""Where a job ran: the state of the checkout, versions of software, the machine, the time.

No environment variable is copied, except SLURM's job id, so that no secret can slip in.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from bioscan1m.foundation.checkout import REPOSITORY

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


def now() -> str:
    """The time in UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def source_state() -> dict[str, Any]:
    """The commit of the checkout that ran and whether it had uncommitted changes; None where git cannot tell."""
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit or None, "dirty": None if changes is None else bool(changes)}


def project_version() -> str | None:
    """The version of this project, which stands in pyproject.toml alone; None in a copy of the workflow without it."""
    path = REPOSITORY / "pyproject.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))["project"]["version"] if path.is_file() else None


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
    """What git prints, also of a checkout that belongs to somebody else, whose code runs here already.

    It writes nothing: a hundred jobs at a time would hold the lock that the user's own git needs.
    """
    options = ["--no-optional-locks", "-c", f"safe.directory={REPOSITORY}", "-C", str(REPOSITORY)]
    command = ["git", *options, *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
