"""What provenance costs: the record of a job, the audit and the trace of an image in a run of full size.

The run has the files and records of 113 chunks with 1.13 million images; tables and packages have all their rows and
names, but few bytes in an image.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, nullcontext
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, Wildcards

from benchmark.full_size_run import IMAGES, write_full_size_run
from benchmark.harness import Stage, cores, median_seconds
from benchmark.packages import RESIZE, RESIZED_IMAGES
from benchmark.photographs import photographs
from bioscan1m.audit.findings import audit
from bioscan1m.audit.scope import Scope
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.digests import describe_file, describe_files, file_digest
from bioscan1m.jobs.context import job
from bioscan1m.jobs.records import RECORDS, write_record
from resize_chunk import resize_chunk

SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"
CHUNK = "data/chunks/part1.zip"
HASHED_FILES, HASHED_BYTES = 8, 2**27  # per file
IMAGES_PER_CHUNK, RESIZED_BYTES = 10_000, 30_000  # of photographs, at 256 pixels
MEBIBYTE = 2**20


def prepare(folder: Path) -> None:
    """Write a chunk that was fetched, large files with a record, and the run of full size."""
    files = photographs()
    (folder / CHUNK).parent.mkdir(parents=True)
    with ZipWriter(folder / CHUNK) as archive:
        for number in range(RESIZED_IMAGES):
            archive.add(f"part1/{number}.jpg", files[number % len(files)])
    _write_record(folder, "fetch_chunk", [CHUNK])
    large = [f"results/large/{number}.bin" for number in range(HASHED_FILES)]
    (folder / "hashed/results/large").mkdir(parents=True)
    for path in large:
        (folder / "hashed" / path).write_bytes(os.urandom(HASHED_BYTES))
    _write_record(folder / "hashed", "pack_zip", large)
    write_full_size_run(folder / "run")


def stages() -> list[Stage]:
    """What is timed: with a record beside without one, hashing beside reading."""
    recording = {"ours": recorded, "reference": naively_recorded, "limit": unrecorded}
    return [
        Stage("resize a chunk, with its record", recording),
        Stage("audit by size and time", {"ours": audit_times, "limit": ask_sizes}, "files"),
        Stage("audit by hash", {"ours": audit_hashes, "reference": hash_each, "limit": read_bytes}, "MiB"),
    ]


def further(folder: Path) -> dict[str, object]:
    """What a record costs a whole chunk; and, in the run of full size, the audit and the trace of one image."""
    image = f"BIOUG{IMAGES // 2:07}.jpg"
    trace = [sys.executable, SCRIPTS / "trace_image.py", image, "--run", folder / "run"]
    with chdir(folder):  # and back, after jobs that stay there
        seconds_per_image = median_seconds(unrecorded(folder)) / RESIZED_IMAGES
        record = median_seconds(record_of_chunk(folder))
    return {
        "record_of_a_chunk_seconds": round(record, 2),
        "share_of_resizing_the_chunk": round(record / (IMAGES_PER_CHUNK * seconds_per_image), 4),
        "audit_by_size_and_time_seconds": round(median_seconds(audit_times(folder)), 2),
        "trace_seconds": round(median_seconds(lambda: subprocess.run(trace, check=True, capture_output=True)), 2),
    }


def recorded(folder: Path) -> Callable[[], int]:
    """A job as Snakemake runs it."""
    return _resizing(folder, job)


def naively_recorded(folder: Path) -> Callable[[], int]:
    """The same work, then all files of the job hashed one after the other, and the packages listed by pip."""
    work, resizing = unrecorded(folder), _job_of_resizing(folder)

    def recording() -> int:
        images = work()
        files = [describe_file(path) for path in (CHUNK, resizing.output.shard, resizing.output.quarantine)]
        listed = subprocess.run([sys.executable, "-m", "pip", "freeze"], check=True, capture_output=True, text=True)
        Path("naive.json").write_text(json.dumps([files, listed.stdout]))
        return images

    return recording


def unrecorded(folder: Path) -> Callable[[], int]:
    """The same work alone."""
    return _resizing(folder, lambda _: nullcontext(SimpleNamespace()))


def record_of_chunk(folder: Path) -> Callable[[], int]:
    """The record alone of a job whose output has the size of a whole chunk of resized images."""
    shard = folder / "results/shards/part1.zip"
    with shard.open("r+b") as file:
        file.truncate(IMAGES_PER_CHUNK * RESIZED_BYTES)

    def work() -> int:
        with job(_job_of_resizing(folder)) as record:
            record.images = {"in": IMAGES_PER_CHUNK, "out": IMAGES_PER_CHUNK}
        return 1

    return work


def audit_times(folder: Path) -> Callable[[], int]:
    """The audit of the run of full size that hashes nothing."""
    return lambda: len(audit(folder / "run", Scope(share=0.0)))


def ask_sizes(folder: Path) -> Callable[[], int]:
    """All records read as JSON, and the system asked for size and time of each file that they say was made."""
    run = folder / "run"

    def work() -> int:
        records = [json.loads(path.read_bytes()) for path in (run / RECORDS).rglob("*.json")]
        made = {file["path"] for record in records for file in record["outputs"]}
        return len([(run / path).stat() for path in made])

    return work


def audit_hashes(folder: Path) -> Callable[[], int]:
    """The audit of large files that hashes all, from the disk."""
    forget_contents(folder)
    return lambda: len(audit(folder / "hashed")) * HASHED_BYTES // MEBIBYTE


def hash_each(folder: Path) -> Callable[[], int]:
    """Hashing the same files one after the other, from the disk."""
    forget_contents(folder)
    files = list((folder / "hashed/results/large").iterdir())
    return lambda: len([file_digest(path) for path in files]) * HASHED_BYTES // MEBIBYTE


def read_bytes(folder: Path) -> Callable[[], int]:
    """Reading the same files on all cores, from the disk."""
    forget_contents(folder)

    def read(path: Path) -> int:
        with path.open("rb") as file:
            return sum(len(block) for block in iter(lambda: file.read(MEBIBYTE), b""))

    def work() -> int:
        with ThreadPoolExecutor(cores()) as pool:
            return sum(pool.map(read, (folder / "hashed/results/large").iterdir())) // MEBIBYTE

    return work


def forget_contents(folder: Path) -> None:
    """Let the system drop what it keeps of the large files in memory."""
    for path in (folder / "hashed/results/large").iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _resizing(folder: Path, around: Callable[[Any], Any]) -> Callable[[], int]:
    """Resizing a chunk within what is `around` it."""
    resizing = _job_of_resizing(folder)
    made = [resizing.output.shard, resizing.output.quarantine]

    def work() -> int:
        with around(resizing) as record:
            record.images = resize_chunk(
                CHUNK,
                *made,
                resize=RESIZE,
                package="original_256",
                chunk="1",
                keep_folders=False,
                unreadable_limit=0.0,
                threads=cores(),
            )
        return RESIZED_IMAGES

    return work


def _job_of_resizing(folder: Path) -> SimpleNamespace:
    """What the script of such a job is given; the working directory is that of the run from now on."""
    os.chdir(folder)
    made = {"shard": "results/shards/part1.zip", "quarantine": "results/quarantine/part1.tsv"}
    return SimpleNamespace(
        rule="resize_chunk",
        input=InputFiles(fromdict={"images": CHUNK}),
        output=OutputFiles(fromdict=made | {"record": f"{RECORDS}/resize_chunk/part1.json"}),
        params=Params(fromdict={"resize": asdict(RESIZE), "code": "resize_chunk:0123456789abcdef"}),
        wildcards=Wildcards(fromdict={"chunk": "1"}),
        log=Log(toclone=["logs/resize_chunk.log"]),
        config={},
    )


def _write_record(run: Path, rule: str, outputs: list[str]) -> None:
    described = [file | {"path": path} for file, path in zip(_describe(run, outputs), outputs, strict=True)]
    content = {"rule": rule, "inputs": [], "outputs": described, "parameters": {}, "code": f"{rule}:0"}
    write_record(run / RECORDS / rule / "1.json", content)


def _describe(run: Path, paths: list[str]) -> list[dict[str, Any]]:
    return describe_files([str(run / path) for path in paths])
