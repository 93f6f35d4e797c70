"""The recorder of executed lines sees threads and forked processes, and nothing of what is left out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RECORDER = Path(__file__).parents[1] / "recorder"
LIBRARY = {
    "work.py": """import os
from threading import Thread

def fork():
    child = os.fork()
    if not child:
        in_fork()
        os._exit(0)
    os.waitpid(child, 0)

def in_fork():
    return 1

def thread():
    thread = Thread(target=in_thread)
    thread.start()
    thread.join()

def in_thread():
    return 2

def never():
    return 3

def both():
    return 4
""",
    "job.py": "from library.work import both, thread\n\ndef keep():\n    both()\n    thread()\n",
}
SCRIPT = "from library import job, work\n\njob.keep()\nwork.fork()\n"


def recorded(folder: Path, script: str, name: str) -> set[str]:
    """What is recorded of a script, as file:line of the library."""
    for file, text in LIBRARY.items():
        (folder / "library").mkdir(exist_ok=True)
        (folder / "library" / file).write_text(text)
    (folder / name).write_text(script)
    settings = {
        "PYTHONPATH": f"{RECORDER}:{folder}",
        "EXECUTED_LINES": str(folder),
        "EXECUTED_LINES_OF": f"{folder}/library/",
        "EXECUTED_LINES_LEFT_OUT": "job",
    }
    subprocess.run([sys.executable, str(folder / name)], env=settings, check=True)
    files = [path.read_text().splitlines() for path in folder.glob("*.txt")]
    return {Path(row).name for rows in files for row in rows}


def line_of(text: str) -> str:
    """Where a line of work.py stands."""
    return f"work.py:{LIBRARY['work.py'].splitlines().index(text) + 1}"


def test_a_forked_process_is_recorded_and_what_a_job_is_recorded_with_is_not(tmp_path: Path) -> None:
    rows = recorded(tmp_path, SCRIPT, "tmp1.draw.py")
    assert (tmp_path / "draw.txt").exists()
    assert {line_of("        in_fork()"), line_of("    return 1")} <= rows
    assert rows.isdisjoint(map(line_of, ("    return 2", "    return 3", "    return 4")))


def test_what_runs_in_threads_and_after_it_was_left_out_is_recorded(tmp_path: Path) -> None:
    rows = recorded(tmp_path, f"{SCRIPT}work.thread()\nwork.both()\n", "tmp1.draw.py")
    assert {line_of("    return 2"), line_of("    return 4")} <= rows


def test_other_processes_are_not_recorded(tmp_path: Path) -> None:
    assert recorded(tmp_path, SCRIPT, "draw.py") == set()
