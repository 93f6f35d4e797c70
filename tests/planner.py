"""Snakemake in a process that imported it once and forks for each call: a plan then waits for no start of Python.

The fork has imported no module of this project, so the Snakefile imports those of its checkout.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

# What Snakemake imports, also where it loads a plugin, and what the Snakefile imports of other packages.
PRELOADED = ["snakemake.cli", "snakemake.executors.local", "jsonschema", "requests", "yaml"]


def plan(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Do as `python -m snakemake` with these arguments in a folder; what it prints is in `stdout`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with tempfile.NamedTemporaryFile() as output:
        process = context.Process(target=_snakemake, args=(arguments, str(folder), output.name, dict(os.environ)))
        process.start()
        process.join()
        printed = Path(output.name).read_text(encoding="utf-8")
    assert process.exitcode is not None
    return subprocess.CompletedProcess(["snakemake", *arguments], process.exitcode, printed)


def _snakemake(arguments: list[str], folder: str, output: str, environment: Mapping[str, str]) -> None:
    """What `python -m snakemake` does, in a forked process, with its output in a file."""
    assert "bioscan1m" not in sys.modules
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    with open(output, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main

    main()
