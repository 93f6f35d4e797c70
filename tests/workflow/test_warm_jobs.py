"""A job that forks from a warm process does, prints and returns what it would as a new Python process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forked_snakemake import JOBS_FORK_FROM, WARM_JOBS

pytestmark = pytest.mark.workflow

SCRIPTS = {
    "names": "import os, sys\nprint(__name__, __file__, sys.argv, sys.path[0], os.getcwd(), os.environ['WORD'])",
    "streams": "import sys\nprint(repr(sys.stdin.read()))\nprint('error', file=sys.stderr)",
    "a status": "import sys\nsys.exit(3)",
    "a message": "import sys\nsys.exit('no such file')",
    "its end": "import atexit, threading\natexit.register(print, 1)\nthreading.Timer(0.01, print, [2]).start()",
    "a process": "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(5)'])",
    "a pool": (
        "import multiprocessing\n\ndef double(number):\n    return 2 * number\n\nif __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n        print(pool.map(double, [1, 2]))"
    ),
}


def outcome(command: list[str], folder: Path) -> tuple[int, str, str]:
    """Status and output of a script in its folder."""
    environment = os.environ | {"WORD": "insect"}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_does_the_same(tmp_path: Path, name: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPTS[name])
    warm = [sys.executable, "-IS", str(WARM_JOBS), os.environ[JOBS_FORK_FROM]]
    assert outcome([*warm, str(script)], tmp_path) == outcome([sys.executable, str(script)], tmp_path)


def test_an_error_or_a_signal_ends_a_script_with_a_failure(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    warm = [sys.executable, "-IS", str(WARM_JOBS), os.environ[JOBS_FORK_FROM], str(script)]
    script.write_text("raise ValueError('no insect')")
    status, _, printed = outcome(warm, tmp_path)
    assert status == 1 and printed.endswith("ValueError: no insect\n")
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert outcome(warm, tmp_path)[0] == 128 + 9
