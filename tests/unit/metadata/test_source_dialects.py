"""A table in any dialect, encoding and with any line ends gives the same rows, as labels and as source metadata."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.foundation.user_tables import Dialect, read_user_table
from bioscan1m.metadata import source
from bioscan1m.metadata.source import open_source
from bioscan1m.metadata.validation import validate_metadata

HEADER = ["image_file", "chunk_number", "kind"]
NAMES = [
    *["1", "001", "1e5", "NA", "None", "nan", "True", "null", "inf", "1_000", "-0", "1.0", "#N/A"],
    "a,b;c|d",
    'x "y"',
]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
TEXTS = st.text("abc 01.-_,;|'\"äöüßéñ", min_size=1, max_size=6).map(lambda text: text.strip() or "a")


def csv_text(rows: list[list[str]], delimiter: str, line_end: str, quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows(rows)
    return text.getvalue()


def rows_of(path: Path) -> list[dict[str, str]]:
    opened = open_source(path)
    return pa.concat_tables(opened.map(lambda piece: piece, threads=1)).select(opened.columns).to_pylist()


@settings(deadline=None, max_examples=150)
@given(
    kinds=st.lists(st.sampled_from(NAMES) | TEXTS, min_size=1, max_size=6),
    delimiter=st.sampled_from("\t;,|"),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(ENCODINGS),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_every_dialect_gives_the_rows_that_were_written(
    tmp_path_factory, kinds, delimiter, line_end, encoding, quoting
):
    rows = [[f"{number}.jpg", "1", kind] for number, kind in enumerate(kinds)]
    path = tmp_path_factory.getbasetemp() / "metadata.csv"
    path.write_bytes(csv_text([HEADER, *rows], delimiter, line_end, quoting).encode(encoding))
    expected = [dict(zip(HEADER, row, strict=True)) for row in rows]
    assert [row for _, row in read_user_table(path, Dialect()).rows] == expected
    assert rows_of(path) == expected


@settings(deadline=None, max_examples=20)
@given(kinds=st.lists(st.sampled_from(NAMES) | TEXTS, min_size=1, max_size=6))
def test_a_workbook_gives_the_rows_that_were_written_whatever_its_name(tmp_path_factory, kinds):
    rows = [[f"{number}.jpg", "1", kind] for number, kind in enumerate(kinds)]
    workbook = openpyxl.Workbook()
    for row in [HEADER, *rows]:
        workbook.active.append(row)
    path = tmp_path_factory.getbasetemp() / "workbook.xlsx"
    workbook.save(path)
    fetched = path.replace(path.with_name("fetched.tsv"))
    assert [list(row.values()) for row in rows_of(fetched)] == rows


def validated(folder: Path, data: bytes) -> list[str]:
    (folder / "metadata.tsv").write_bytes(data)
    made = folder / "validated.parquet", folder / "warnings.tsv"
    validate_metadata(folder / "metadata.tsv", ["1"], ["kind"], [], *made, threads=1)
    return read_parquet(made[0])["kind"].to_pylist()


def test_the_validation_reads_what_a_german_excel_writes(tmp_path, caplog):
    caplog.set_level("INFO")
    text = "image_file;chunk_number;kind\r\na.jpg;1;Käfer\r\nb.jpg;1;001\r\n"
    assert validated(tmp_path, text.encode("cp1252")) == ["Käfer", "001"]
    assert "read as cp1252, separated by semicolons; 2 rows" in caplog.text


def test_a_large_table_must_be_separated_by_tabs(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "MOST_BYTES", 10)
    with pytest.raises(InputError, match=r"metadata.tsv: a table above .* must be UTF-8, separated by tabs"):
        validated(tmp_path, b"image_file;chunk_number;kind\na.jpg;1;x\n")


TABS = b"image_file\tchunk_number\tkind\n"


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        (TABS, ["a header, image_file, chunk_number, kind, and no row"]),
        (TABS.rstrip(), ["a header, image_file, chunk_number, kind, and no row"]),
        (
            TABS.replace(b"kind", b"kind\tkind") + b"a\t1\tx\ty\n",
            ["row 1: two columns are called 'kind', columns 3 and 4"],
        ),
        (TABS.replace(b"\tkind", b"\t\tkind") + b"a\t1\tx\ty\n", ["row 1: column 3 has no name"]),
        (TABS + b"a\t1\tx\tz\nb\t1\ny\n", ["row 2 has 4 cells", "row 3 has 2 cells", "row 4 has 1 cells"]),
        (
            TABS + b'a\t1\t"x\nb\t1\ty\nc\t"1\tz\n',
            ["row 2: the value of kind (column 3) opens a quote", "row 4: the value of chunk_number (column 2) opens"],
        ),
        (
            b'image_file,chunk_number,kind\na,1,"x\nb,1,y,z\nc,"1,z\n',
            ["row 3 has 4 cells, 'z'", "row 2: a quote is not closed", "in column 3", "row 4: a quote", "in column 2"],
        ),
        (TABS + "a\t1\tKäfer\n".encode() + b"b\t1\tM\xfccke\nc\t1\tM\xfccke\n", ["row 3 is not UTF-8", "row 4 is not"]),
        (
            TABS + b'a\t1\t"x" y\nb\t1\tz\nc\t"x"y\tz\n',
            ["row 2: the value of kind", "row 4: the value of chunk_number"],
        ),
        (b"\xd0\xcf\x11\xe0" + bytes(100), ["Excel 97", "save it as .xlsx"]),
        (b"\x1f\x8b" + bytes(100), ["compressed by gzip"]),
        (b"PAR1" + bytes(100), ["a Parquet table"]),
        (b"", ["the table is empty"]),
        (
            TABS + b"\t1\tx\na/b.jpg\t1\tx\nc\t1\tx\nc\t1\tx\n",
            ["is empty in row 2", "is a path in row 3", "'c' in rows 4, 5"],
        ),
    ],
)
def test_all_faults_of_source_metadata_are_named_at_once(tmp_path, data, faults):
    with pytest.raises(InputError) as raised:
        validated(tmp_path, data)
    assert str(raised.value).startswith(f"{tmp_path / 'metadata.tsv'}: ")
    assert [fault for fault in faults if fault not in str(raised.value)] == []


@pytest.mark.parametrize("line", ["a\t1\tx\ty\n", "a\n", '"a\t1\tx\n'])
def test_twenty_faults_are_named_and_the_others_counted(tmp_path, line):
    with pytest.raises(InputError, match=r"row 2\b.*row 21\b.*; and 5 more$"):
        validated(tmp_path, TABS + line.encode() * 25)


def test_empty_columns_at_the_end_change_nothing(tmp_path):
    assert validated(tmp_path, b"image_file\tchunk_number\tkind\t\t\na.jpg\t1\tx\t\t\nb.jpg\t1\ty\n") == ["x", "y"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_empty_cells_beyond_the_last_column_change_nothing(tmp_path, line_end):
    lines = ["image_file\tchunk_number\tkind", "a.jpg\t1\tx\t", 'b.jpg\t1\t"y\tz"\t\t', "c.jpg\t1\t\t", "d.jpg\t1\t"]
    data = line_end.join([*lines, "e.jpg\t1\tx"]).encode()
    assert validated(tmp_path, data) == ["x", "y\tz", "not_classified", "not_classified", "x"]


def test_a_carriage_return_within_a_row_is_named(tmp_path):
    path = tmp_path / "metadata.tsv"
    path.write_bytes(b'image_file\tchunk_number\tfamily\na.jpg\t1\tS\rc\t"Culic""idae"\nb.jpg\t1\tSciaridae\n')
    outputs = tmp_path / "validated.parquet", tmp_path / "warnings.tsv"
    with pytest.raises(InputError, match="row 2 has a carriage return within"):
        validate_metadata(path, None, ["family"], [], *outputs, threads=1)
