"""Fetching a chunk from a web server on the loopback interface, with its checksum."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.harness import Stage
from bioscan1m.fetch.fetching import fetch

MEBIBYTE = 2**20
FILE_MEBIBYTES = 1024
BLOCK = MEBIBYTE


def prepare(folder: Path) -> None:
    """Write the file that is served, and what its SHA-256 is."""
    digest = hashlib.sha256()
    with (folder / "chunk.zip").open("wb") as file:
        for _ in range(FILE_MEBIBYTES):
            block = os.urandom(MEBIBYTE)
            digest.update(block)
            file.write(block)
    (folder / "sha256").write_text(digest.hexdigest())


def stages() -> list[Stage]:
    """What is timed."""
    return [Stage("fetch a chunk", {"ours": ours, "reference": naive, "limit": limit}, "MiB")]


def further(_: Path) -> dict[str, object]:
    """Of what."""
    return {"fetched_mebibytes": FILE_MEBIBYTES}


def ours(folder: Path) -> Callable[[], int]:
    """Hashed while it comes, written aside, renamed."""
    checksum = f"sha256:{(folder / 'sha256').read_text()}"
    return over_the_web(folder, lambda address, path: fetch(address, path, checksum=checksum, attempts=1, timeout=60))


def naive(folder: Path) -> Callable[[], int]:
    """Fetched, then read again to be hashed."""

    def work(address: str, path: Path) -> None:
        urllib.request.urlretrieve(address, path)
        if hashlib.sha256(path.read_bytes()).hexdigest() != (folder / "sha256").read_text():
            raise ValueError(path)

    return over_the_web(folder, work)


def limit(folder: Path) -> Callable[[], int]:
    """Read and written, in blocks, with nothing else."""

    def work(address: str, path: Path) -> None:
        with urllib.request.urlopen(address) as source, path.open("wb") as file:
            shutil.copyfileobj(source, file, BLOCK)

    return over_the_web(folder, work)


def over_the_web(folder: Path, work: Callable[[str, Path], None]) -> Callable[[], int]:
    """The work, on the address of the file and the path where it is to go."""

    def timed() -> int:
        with served(folder) as address:
            work(address, folder / "fetched.zip")
        (folder / "fetched.zip").unlink()
        return FILE_MEBIBYTES

    return timed


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the file at a server in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}/chunk.zip"
    finally:
        server.kill()
        server.wait()


def wait_for(port: int) -> None:
    """Until something listens there."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise TimeoutError(f"nothing listens at port {port}")
