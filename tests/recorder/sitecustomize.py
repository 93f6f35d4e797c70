"""Write down which lines of the library a job runs; Python imports this first where the folder is on PYTHONPATH.

A job is a process whose script Snakemake named `tmp….<script>.py`, with the processes and threads that it starts. Each
line is written once, as soon as it has run, for a forked worker ends without saying so. What functions named in
$EXECUTED_LINES_LEFT_OUT run is not written.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType


class Recorder:
    """Traces frames of code in the folder `library`, until each of their lines has run."""

    def __init__(self, output: Path, library: str, left_out: frozenset[str]) -> None:
        self._output = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._library, self._left_out = library, left_out
        self._missing: dict[CodeType, set[int]] = {}

    def frame(self, frame: FrameType, _event: str, _argument: object) -> Callable | None:
        """What traces the lines of a frame that begins; nothing where it is of no interest."""
        code = frame.f_code
        if not code.co_filename.startswith(self._library):
            return None
        missing = self._missing.get(code)
        if missing is None:
            missing = self._missing[code] = {line for _, _, line in code.co_lines() if line}
        return self._line if missing else None

    def _line(self, frame: FrameType, event: str, _argument: object) -> Callable | None:
        missing = self._missing[frame.f_code]
        if event == "line" and frame.f_lineno in missing:
            if self.leaves_out(frame):
                frame.f_trace = None
                return None
            missing.discard(frame.f_lineno)
            os.write(self._output, f"{frame.f_code.co_filename}:{frame.f_lineno}\n".encode())
        return self._line

    def leaves_out(self, frame: FrameType | None) -> bool:
        """Whether a function, class or module that is left out has called a frame, or has started its thread."""
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith(self._library):
                names = {*code.co_qualname.split("."), Path(code.co_filename).stem}
                if not self._left_out.isdisjoint(names):
                    return True
            frame = frame.f_back
        return getattr(threading.current_thread(), "left_out", False)

    def start(self) -> None:
        """Trace this thread, and those that it starts, from now on."""
        start_thread = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            thread.left_out = self.leaves_out(sys._getframe(1))  # type: ignore[attr-defined]
            start_thread(thread)

        threading.Thread.start = start  # type: ignore[method-assign]
        threading.settrace(self.frame)
        sys.settrace(self.frame)


def script_of_this_process() -> str:
    """The name of the script that this process runs, or that the process ran which started it."""
    found = re.search(r"/tmp[^/.]*\.(\w+)\.py$", next((word for word in sys.orig_argv if word.endswith(".py")), ""))
    if found:
        os.environ["EXECUTED_LINES_SCRIPT"] = found[1]
    return os.environ.get("EXECUTED_LINES_SCRIPT", "")


if "EXECUTED_LINES" in os.environ and script_of_this_process():
    Recorder(
        Path(os.environ["EXECUTED_LINES"]) / f"{script_of_this_process()}.txt",
        os.environ["EXECUTED_LINES_OF"],
        frozenset(os.environ["EXECUTED_LINES_LEFT_OUT"].split(",")),
    ).start()
