"""A job's record stands only when the job is done; what went wrong is one clear message in its log."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, Wildcards

from bioscan1m.audit.identification import read_recipe_digest
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.digests import file_digest
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.context import job
from bioscan1m.jobs.recipe import recipe_digest

RECORD = Path("results/provenance/records/crop_chunk/part7.json")
LOG = Path("logs/crop_chunk/7.log")


@pytest.fixture(autouse=True)
def in_a_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A run folder with one input; the logging of the tests is put back afterwards."""
    monkeypatch.chdir(tmp_path)
    Path("chunk.zip").write_bytes(b"photographs")
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(False)
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def snakemake(**params: object) -> SimpleNamespace:
    """What Snakemake gives to the script of a rule."""
    return SimpleNamespace(
        rule="crop_chunk",
        input=InputFiles(fromdict={"chunk": "chunk.zip"}),
        output=OutputFiles(fromdict={"cropped": "cropped.zip", "table": "table.tsv", "record": str(RECORD)}),
        params=Params(fromdict={"crop": {"ratio": 1.4}, "code": "crop_chunk:0123456789abcdef"} | params),
        wildcards=Wildcards(fromdict={"chunk": "7"}),
        log=Log(toclone=[str(LOG)]),
        config={},
    )


def write_outputs() -> None:
    Path("cropped.zip").write_bytes(b"crops")
    Path("table.tsv").write_bytes(b"image_file\n")


def test_the_record_says_what_the_job_did():
    with job(snakemake()) as record:
        write_outputs()
        record.images = {"in": 400, "out": 398, "quarantined": 2}
        record.seed = 5
        assert not RECORD.exists()
    written = json.loads(RECORD.read_text())
    assert (written["rule"], written["wildcards"], written["seed"]) == ("crop_chunk", {"chunk": "7"}, 5)
    assert (written["parameters"], written["code"]) == ({"crop": {"ratio": 1.4}}, "crop_chunk:0123456789abcdef")
    assert written["images"] == {"in": 400, "out": 398, "quarantined": 2}
    (chunk,) = written["inputs"]
    assert chunk == {
        "path": "chunk.zip",
        "bytes": 11,
        "mtime_ns": Path("chunk.zip").stat().st_mtime_ns,
        "sha256": file_digest("chunk.zip"),
    }
    assert [file["path"] for file in written["outputs"]] == ["cropped.zip", "table.tsv"]
    assert written["started"] <= written["ended"] and written["peak_memory_bytes"] > 2**20


def test_the_record_says_which_inputs_are_no_reason_to_run_again():
    with job(snakemake(ancient=["chunk", "weights"])):
        write_outputs()
    written = json.loads(RECORD.read_text())
    assert written["inputs"][0]["ancient"] is True and "ancient" not in written["parameters"]


def write_zip() -> None:
    with ZipWriter("cropped.zip") as archive:
        archive.add("a.jpg", b"crop")
    Path("table.tsv").write_bytes(b"image_file\n")


def test_files_carry_the_recipe_of_their_record_and_equal_jobs_leave_equal_files():
    files = []
    for threads in (1, 8):
        with job(snakemake(threads=threads, unwatched=["threads"])):
            write_zip()
        written = json.loads(RECORD.read_text())
        assert read_recipe_digest("cropped.zip") == written["recipe_digest"] == recipe_digest(written)
        files.append(Path("cropped.zip").read_bytes())
    assert files[0] == files[1]
    with job(snakemake(threads=1, unwatched=["threads"], resize=256)):
        write_zip()
    assert Path("cropped.zip").read_bytes() != files[0]


def test_what_is_fetched_stays_as_it_came():
    with job(snakemake(unwatched=["code"])):
        write_zip()
    assert read_recipe_digest("cropped.zip") is None
    written = Path("cropped.zip").read_bytes()
    write_zip()
    assert Path("cropped.zip").read_bytes() == written


def test_an_input_that_changes_before_the_recipe_is_written_leaves_no_file(capfd):
    with pytest.raises(SystemExit), job(snakemake()):
        Path("chunk.zip").write_bytes(b"other photographs")
        write_zip()
    assert not Path("cropped.zip").exists() and not list(Path().glob("*.part"))
    assert "chunk.zip changed while the job read it" in capfd.readouterr().err


def test_an_input_that_changes_while_the_job_runs_is_an_error_and_no_record(capfd):
    with pytest.raises(SystemExit), job(snakemake()):
        write_outputs()
        Path("chunk.zip").write_bytes(b"other photographs")
    assert not RECORD.exists() and "chunk.zip changed while the job read it" in capfd.readouterr().err


def test_the_environment_stays_out_of_the_record(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_the_user")
    with job(snakemake()):
        write_outputs()
    assert "hf_secret_of_the_user" not in RECORD.read_text()


def test_tokens_in_addresses_stay_out_of_the_record():
    source = {"source": "https://me:secret1@example.org/part7.zip?token=secret2", "bytes": None}
    with job(snakemake(sources=[source])):
        write_outputs()
    parameters = json.loads(RECORD.read_text())["parameters"]
    assert parameters["sources"] == [{"source": "https://example.org/part7.zip", "bytes": None}]


def test_bad_input_is_one_message_and_no_record(capfd):
    with pytest.raises(SystemExit) as raised, job(snakemake()):
        raise InputError("chunk.zip: not a readable zip file; fetch it again")
    assert raised.value.code == 1
    assert not RECORD.exists()
    for text in (LOG.read_text(), capfd.readouterr().err):
        assert "ERROR crop_chunk: chunk.zip: not a readable zip file; fetch it again" in text
        assert "Traceback" not in text


def test_any_other_error_has_its_traceback_in_the_log_and_no_record():
    with pytest.raises(ZeroDivisionError), job(snakemake()):
        1 / 0  # noqa: B018
    assert "crop_chunk failed" in LOG.read_text() and "ZeroDivisionError" in LOG.read_text()
    assert not RECORD.exists()


def test_an_output_that_was_not_written_is_an_error_and_no_record():
    with pytest.raises(FileNotFoundError, match=r"table\.tsv"), job(snakemake()):
        Path("cropped.zip").write_bytes(b"crops")
    assert not RECORD.exists()


def test_messages_and_warnings_go_to_the_log():
    with job(snakemake()):
        write_outputs()
        logging.getLogger("bioscan1m.foundation.progress").info("crop: 10 of 400 images")
        warnings.warn("this photograph is odd", stacklevel=1)
    log = LOG.read_text()
    assert "INFO crop: 10 of 400 images" in log and "this photograph is odd" in log


def test_the_log_of_an_attempt_that_failed_stays_when_the_next_one_begins():
    with pytest.raises(SystemExit), job(snakemake()):
        raise InputError("chunk.zip: the disk is full")
    for remove_first in (True, False):  # as Snakemake does
        if remove_first:
            LOG.unlink()
        with job(snakemake()):
            write_outputs()
            logging.getLogger("bioscan1m").info("in order")
    (earlier,) = (path for path in LOG.parent.iterdir() if path != LOG)
    assert "the disk is full" in earlier.read_text() and "in order" not in earlier.read_text()
    assert "in order" in LOG.read_text() and "the disk is full" not in LOG.read_text()
    assert re.fullmatch(r"7\.\d{4}-\d\d-\d\dT\d{6}\.\d{6}Z\.log", earlier.name)


def test_the_log_of_an_attempt_that_is_killed_stays():
    child = os.fork()
    if child == 0:
        try:
            with job(snakemake()):
                logging.getLogger("bioscan1m").info("epoch 7")
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    LOG.unlink()
    (earlier,) = LOG.parent.iterdir()
    assert "epoch 7" in earlier.read_text()
