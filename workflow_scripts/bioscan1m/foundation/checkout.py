"""The checkout of this project: its folders, and its workflow run by Snakemake."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]


def run_snakemake(folder: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run the workflow with the working directory `folder`; `stdout` of the result has its errors too."""
    command = snakemake_command(folder, arguments)
    return subprocess.run(**command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def snakemake_command(folder: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Command and place of a call of the workflow with the working directory `folder`, for subprocess.run."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", str(folder), *arguments]
    return {"args": command, "cwd": REPOSITORY}
