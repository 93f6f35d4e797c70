"""Snakemake in a process that imported it once and forks for each call: a run then waits for no start of Python.

The fork has imported no module of this project, so the Snakefile imports those of its checkout. Its jobs are started as
ever, or fork as well where JOBS_FORK_FROM names the socket of warm_jobs.py.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

# What Snakemake imports, also later or in a plugin, and what it and the Snakefile import of other packages.
OF_SNAKEMAKE = ("cli", "executors.local", "notebook", "report", "report.html_reporter", "script", "storage")
OF_OTHERS = ("PIL.Image", "docutils.parsers.rst.roles", "jsonschema", "nbformat", "requests", "smart_open", "yaml")
WARM_JOBS = Path(__file__).with_name("warm_jobs.py")
JOBS_FORK_FROM = "JOBS_FORK_FROM"
PRELOADED = [*(f"snakemake.{name}" for name in OF_SNAKEMAKE), *OF_OTHERS]


def snakemake_in_a_fork(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
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
    import snakemake.script
    from snakemake.cli import main

    if address := environment.get(JOBS_FORK_FROM):
        python = shlex.join([sys.executable, "-IS", str(WARM_JOBS), address])
        snakemake.script.sys = SimpleNamespace(executable=python)  # of `sys` that module uses nothing else
    try:
        main()
    finally:
        atexit._run_exitfuncs()  # a fork of this kind ends without, and would leave Snakemake's temporary folders
