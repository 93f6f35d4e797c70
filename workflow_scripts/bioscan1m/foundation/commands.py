"""How the scripts that a user calls end: also where nobody reads the rest of what they print."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn


def as_command(main: Callable[[], int | None]) -> NoReturn:
    """Run `main` and exit with its status.

    Where the reader of what is printed has left, as `head` does, it ends without a traceback and with the status that
    shells give to a command which that ended.
    """
    try:
        status = main()
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)  # for what the interpreter flushes at its end
        os.dup2(nowhere, sys.stdout.fileno())
        os.dup2(nowhere, sys.stderr.fileno())
        status = 128 + signal.SIGPIPE
    sys.exit(status)
