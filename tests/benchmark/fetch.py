"""Fetching a chunk from a web server on the loopback interface, with its checksum."""

from __future__ import annotations

import hashlib
import os
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path

from benchmark.harness import Stage
from bioscan1m.fetch.verified import fetch

MEBIBYTE = 2**20
FILE_MEBIBYTES = 1024
BLOCK = MEBIBYTE


def prepare(folder: Path, share: float = 1) -> None:
    """Write the file that is served, or a share of it, and what its SHA-256 is."""
    digest = hashlib.sha256()
    with (folder / "chunk.zip").open("wb") as file:
        for _ in range(int(FILE_MEBIBYTES * share)):
            block = os.urandom(MEBIBYTE)
            digest.update(block)
            file.write(block)
    (folder / "sha256").write_text(digest.hexdigest())


def stages() -> list[Stage]:
    """What is timed."""
    return [Stage("fetch a chunk", {"ours": ours, "reference": naive, "limit": limit}, "MiB", scales=True)]


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
        return (folder / "chunk.zip").stat().st_size // MEBIBYTE

    return timed


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the file at a server in a process of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SilentFiles, directory=str(folder))) as server:
        process = get_context("fork").Process(target=server.serve_forever, daemon=True)
        process.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/chunk.zip"
        finally:
            process.kill()
            process.join()


class SilentFiles(SimpleHTTPRequestHandler):
    """The files of a folder."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""
