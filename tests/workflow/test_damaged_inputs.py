"""Every input of every rule, damaged in four ways: the job stops with one message before it begins."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from bioscan1m.jobs import inputs as job_inputs
from bioscan1m.jobs.context import job
from bioscan1m.jobs.records import RECORDS, Record, by_output, parse_record
from workflow_runs import snakemake

pytestmark = pytest.mark.workflow

LOOK_FOR_DAMAGE = {"audit", "seal_records"}
DAMAGES = ("truncated", "64 bytes of 0xFF", "empty", "the bytes of another file")


@pytest.fixture
def in_run(run: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The finished run as working directory; the logging of the tests is put back."""
    monkeypatch.chdir(run)
    monkeypatch.setattr(job_inputs, "LATE", 0)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield run
    logging.captureWarnings(False)
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def read_records() -> list[Record]:
    return [parse_record(path.as_posix(), path.read_bytes()) for path in sorted(Path(RECORDS).rglob("*.json"))]


@contextmanager
def damaged(path: Path, kind: str, other: bytes) -> Iterator[bool]:
    """A file with other bytes and its old time, as a disk damages it; yields whether the bytes are others."""
    data, status = path.read_bytes(), path.stat()
    middle = len(data) // 2
    others = (data[:middle], data[:middle] + b"\xff" * 64 + data[middle + 64 :], b"", other)
    damaged_data = dict(zip(DAMAGES, others, strict=True))[kind]
    try:
        path.write_bytes(damaged_data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        yield damaged_data != data
    finally:
        path.write_bytes(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def message_of_job(record: Record) -> str:
    """Begin the job of a record in the frame of every job; its log. The job does not get to its first line."""
    log, new = "logs/damaged.log", "results/new.json"
    outputs = SimpleNamespace(record=new)
    given = {"rule": record.rule, "input": [file["path"] for file in record.inputs], "output": outputs}
    values = SimpleNamespace(**given, log=[log], params={}, config={})
    with pytest.raises(SystemExit) as stopped, job(values):
        pytest.fail(f"{record.rule} began")
    assert stopped.value.code == 1 and not Path(new).exists()
    return Path(log).read_text(encoding="utf-8")


@pytest.mark.usefixtures("in_run")
def test_every_input_of_every_rule_is_checked_before_the_job_begins() -> None:
    records = read_records()
    made = by_output(records)
    reading = [record for record in records if record.rule not in LOOK_FOR_DAMAGE]
    readers = {(record.rule, file["path"]): record for record in reading for file in record.inputs}
    assert not [path for _, path in readers if path.startswith("results/") and path not in made]
    other, tried = Path(RECORDS, "audit/audit.json").read_bytes(), 0
    for (rule, path), record in readers.items():
        for kind in DAMAGES if path in made else []:
            with damaged(Path(path), kind, other) as is_other:
                if is_other:
                    (line,) = message_of_job(record).splitlines()
                    assert f"ERROR {rule}: {path}: not the file that {made[path][0].rule} made" in line, kind
                    tried += 1
    assert tried > 900, tried


@pytest.mark.parametrize(
    ("path", "kind", "target"),
    [
        ("results/boxes/part1.parquet", "64 bytes of 0xFF", "results/cropped/bioscan_images_cropped_full_part1.zip"),
        ("data/chunks/bioscan_images_original_full_part1.zip", "truncated", "results/boxes/part1.parquet"),
        ("results/metadata/validated.parquet", "the bytes of another file", "results/splits/roles.parquet"),
    ],
)
def test_a_real_job_stops_with_one_message_and_goes_on_when_the_file_is_removed(
    in_run: Path, path: str, kind: str, target: str
) -> None:
    (in_run / target).unlink()
    made = by_output(read_records())
    with damaged(Path(path), kind, Path("config.yaml").read_bytes()):
        failed = snakemake(in_run, target, "--rerun-triggers", "input")
    assert failed.returncode != 0 and "Traceback" not in failed.stdout
    assert f"{path}: not the file that {made[path][0].rule} made" in failed.stdout, failed.stdout
    assert not (in_run / target).exists()
    Path(path).unlink()
    done = snakemake(in_run, target, "--rerun-triggers", "input")
    assert done.returncode == 0 and (in_run / target).exists(), done.stdout
