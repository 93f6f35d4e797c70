"""The chunk manifest: what is read, and how every mistake in it is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioscan1m.foundation.errors import InputError
from bioscan1m.plan.manifest import COLUMNS, read_manifest, write_manifest

REPOSITORY = Path(__file__).parents[3]
MD5 = "md5:" + "0123456789abcdef" * 2
SHA256 = "sha256:" + "0123456789abcdef" * 4
HEADER = "\t".join(COLUMNS)


@pytest.fixture
def manifest(tmp_path):
    """Write lines to a chunks.tsv and return its path."""

    def write(*lines: str) -> Path:
        path = tmp_path / "chunks.tsv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def test_facts_are_read_in_the_order_of_the_file(manifest):
    path = manifest(HEADER, f"2\tgdrive:abc\t12\t{MD5.upper().replace('MD5', 'md5')}", "1\tsource/a b.zip\t\t")
    assert read_manifest(path) == {
        "2": {"source": "gdrive:abc", "bytes": 12, "checksum": MD5},
        "1": {"source": "source/a b.zip", "bytes": None, "checksum": None},
    }
    assert list(read_manifest(path)) == ["2", "1"]


def test_empty_last_cells_windows_line_ends_a_byte_order_mark_and_further_columns_are_fine(tmp_path):
    path = tmp_path / "chunks.tsv"
    path.write_bytes("\ufeffnote\tchunk\tsource\tbytes\tchecksum\r\nours\t1\ta.zip\r\n\r\n".encode())
    assert read_manifest(path) == {"1": {"source": "a.zip", "bytes": None, "checksum": None}}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["chunk\tsource\tbytes", "1\ta.zip\t"], ["row 1", "no column checksum", "chunk, source, bytes, checksum"]),
        (["chunk,source,bytes,checksum", "1,a.zip,,"], ["row 1", "no column chunk", "tabs"]),
        ([""], ["row 1", "no column", "empty"]),
        ([HEADER], ["no chunk", "add a row"]),
        ([HEADER, "1\ta.zip", "2\tb.zip", "1\tc.zip"], ["row 4", "column chunk", "'1' stands in row 2 already"]),
        ([HEADER, "one/two\ta.zip"], ["row 2", "column chunk", "'one/two'", "letters, digits, _ and -"]),
        ([HEADER, "\ta.zip"], ["row 2", "column chunk", "''"]),
        ([HEADER, "1\t"], ["row 2", "column source", "no address"]),
        ([HEADER, "1\tgdirve:abc"], ["row 2", "column source", "'gdirve:abc'", "gdrive:<file id>"]),
        ([HEADER, "1\ta.zip\t12 MB"], ["row 2", "column bytes", "'12 MB'", "whole number"]),
        ([HEADER, "1\ta.zip\t-5"], ["row 2", "column bytes", "'-5'"]),
        ([HEADER, "1\ta.zip\t0"], ["row 2", "column bytes", "'0'"]),
        ([HEADER, "1\ta.zip\t\tmd5:12"], ["row 2", "column checksum", "'md5:12'", "32 hex digits"]),
        ([HEADER, f"1\ta.zip\t\t{MD5[4:]}"], ["row 2", "column checksum", "md5:<32"]),
        ([HEADER, f"1\ta.zip\t\t{MD5}\tmore"], ["row 2", "more cells"]),
    ],
)
def test_a_mistake_is_told_with_file_row_column_and_what_is_allowed(manifest, lines, told):
    path = manifest(*lines)
    with pytest.raises(InputError) as error:
        read_manifest(path)
    assert [text for text in (str(path), *told) if text not in str(error.value)] == []


def test_a_missing_and_a_binary_file_are_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_manifest(tmp_path / "absent.tsv")
    (tmp_path / "binary.tsv").write_bytes(b"\x89PNG\xff\x00")
    with pytest.raises(InputError, match=r"binary\.tsv.*UTF-8"):
        read_manifest(tmp_path / "binary.tsv")


NAMES = st.from_regex(r"[abcz019_][abcz019_-]{0,7}", fullmatch=True)
FACTS = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["gdrive:a", "https://host/a b", "source/ä'\"b.zip", "file:///x", "C"]),
        "bytes": st.none() | st.integers(1, 2**40),
        "checksum": st.sampled_from([None, MD5, SHA256]),
    }
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(NAMES, FACTS, min_size=1, max_size=5))
def test_what_is_written_is_read(tmp_path, chunks):
    write_manifest(tmp_path / "chunks.tsv", chunks)
    read = read_manifest(tmp_path / "chunks.tsv")
    assert read == chunks
    assert list(read) == list(chunks)


def test_the_projects_manifest_has_the_113_published_chunks():
    chunks = read_manifest(REPOSITORY / "chunks.tsv")
    assert list(chunks) == [str(number) for number in range(1, 114)]
    assert len({facts["source"] for facts in chunks.values()}) == 113
    assert all(facts["source"].startswith("gdrive:") for facts in chunks.values())


def test_reading_the_manifest_imports_nothing_slow():
    code = (
        "import sys, bioscan1m.plan.manifest; sys.exit(any(m in sys.modules for m in ('pandas', 'requests', 'numpy')))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY / "workflow_scripts", check=False).returncode == 0
    )


@pytest.mark.parametrize(
    "source", ["HTTP://me:s3cret@host/a.zip", "https://host/a.zip?s3cret", "ftp://me:s3cret@host/a"]
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(manifest, source):
    with pytest.raises(InputError, match=r"row 2, column source: ") as error:
        read_manifest(manifest(HEADER, f"1\t{source}\t\t"))
    assert "s3cret" not in str(error.value)


def test_a_variable_of_the_environment_may_stand_in_an_address(manifest):
    address = "https://host/a.zip?token=${TOKEN}"
    assert read_manifest(manifest(HEADER, f"1\t{address}\t\t"))["1"]["source"] == address
