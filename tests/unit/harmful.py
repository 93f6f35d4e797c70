"""What a malicious file does when it is unpickled."""

from __future__ import annotations

import os
from pathlib import Path


class Harmful:
    """Makes a folder where it is told to, as it could do anything else."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)
