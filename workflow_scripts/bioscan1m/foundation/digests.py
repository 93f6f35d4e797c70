"""Size, time and SHA-256 of files, as records and descriptions name them."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


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
