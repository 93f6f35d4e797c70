"""The metadata survives reading and writing byte for byte, and a file that is damaged is named with its row."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from bioscan1m.foundation.errors import InputError
from bioscan1m.metadata import table as metadata
from bioscan1m.metadata.table import (
    NOT_CLASSIFIED,
    PUBLISHED_COLUMNS,
    PUBLISHED_EXPERIMENTS,
    SOURCE_COLUMNS,
    complete,
    order_columns,
    read_header,
    read_tsv,
    write_tsv,
)


def tsv(folder: Path, content: bytes | str) -> Path:
    path = folder / "metadata.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_published_columns_are_22_of_which_the_source_has_16():
    assert len(PUBLISHED_COLUMNS) == len(set(PUBLISHED_COLUMNS)) == 22
    assert [name for name in PUBLISHED_COLUMNS if name not in PUBLISHED_EXPERIMENTS] == list(SOURCE_COLUMNS)
    assert PUBLISHED_COLUMNS[14:16] == ("image_file", "large_diptera_family")
    assert PUBLISHED_COLUMNS[-1] == "chunk_number"


def test_columns_come_in_the_published_order_and_others_behind():
    source = ["photographer", *reversed(SOURCE_COLUMNS), "author"]
    any_order = [*reversed(PUBLISHED_EXPERIMENTS)]
    assert order_columns(source, any_order) == [*PUBLISHED_COLUMNS, "photographer", "author"]
    own = order_columns(source, ["beetles", "small_insect_order", "ants"])
    assert own[15:19] == ["small_insect_order", "beetles", "ants", "chunk_number"]


def test_a_table_of_own_images_is_completed(tmp_path):
    own = read_tsv(tsv(tmp_path, "image_file\tkind\tspecies\tsampleid\na.jpg\tant\t \t\nb.jpg\t\tApis\t7\n"))
    table = complete(own, ["kind"]).to_pydict()
    assert set(table) == {*SOURCE_COLUMNS, "kind"}
    assert table["kind"] == ["ant", NOT_CLASSIFIED] and table["species"] == [NOT_CLASSIFIED, "Apis"]
    assert table["order"] == [NOT_CLASSIFIED] * 2 and table["nucraw"] == ["", ""] and table["sampleid"] == ["", "7"]


@pytest.mark.parametrize(
    "content",
    [
        b"a\tb\n1\tx\n012\tNA\n",
        b"a\tb\r\n1\tx\r\n012\tNA\r\n",
        b"\xef\xbb\xbfa\tb\n1\tx\n012\tNA\n",
        b'"a"\t"b"\n"1"\t"x"\n"012"\t"NA"\n',
        b"a\tb\n1\tx\n012\tNA",
    ],
    ids=["plain", "windows", "byte order mark", "quoted", "no last line end"],
)
def test_values_are_read_as_they_are(tmp_path, content):
    path = tsv(tmp_path, content)
    assert read_tsv(path).to_pydict() == {"a": ["1", "012"], "b": ["x", "NA"]}
    assert read_header(path) == ["a", "b"]
    assert read_tsv(path, ["b"]).column_names == ["b"]


def test_empty_cells_are_empty_strings(tmp_path):
    assert read_tsv(tsv(tmp_path, "a\tb\n\t1\n2\t\n")).to_pydict() == {"a": ["", "2"], "b": ["1", ""]}


def test_quotes_inside_values(tmp_path):
    path = tsv(tmp_path, 'a\tb\n5" long\t"says ""no"""\n')
    assert read_tsv(path).to_pydict() == {"a": ['5" long'], "b": ['says "no"']}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\tb\n1\t2\n3\n", "row 3 has 1 cells, and the header 2 columns"),
        (b"a\tb\n1\t2\n3\t4\t5\n", "row 3 has 3 cells, and the header 2 columns, '5' in the last"),
        (b"a\tb\n1\t2\n3\tM\xfcller\n", "row 3 is not UTF-8"),
        (b"M\xfcller\tb\n1\t2\n", "row 1, the header, is not UTF-8"),
        (b'a\tb\n1\t2\n3\t"4\n5\t6\n', "row 3: the value of b \\(column 2\\) opens a quote that nothing closes"),
        (b"a\ta\n1\t2\n", "row 1: two columns are called 'a', columns 1 and 2"),
        (b"", "no header"),
    ],
    ids=["short row", "long row", "latin-1", "latin-1 header", "open quote", "same name", "empty"],
)
def test_a_damaged_file_is_named_with_its_row(tmp_path, content, message):
    with pytest.raises(InputError, match=f"metadata.tsv: .*{message}"):
        read_tsv(tsv(tmp_path, content))


@pytest.mark.parametrize("row", [2, 17, 41])
@pytest.mark.parametrize("bad", ['x\t"y', '"x\ty', "x", "x\ty\tz"])
def test_pieces_of_a_file_are_read_as_the_whole_and_their_faults_have_its_rows(tmp_path, monkeypatch, row, bad):
    rows = [f"{number}\t{number:03}" for number in range(40)]
    path = tsv(tmp_path, "\n".join(["a\tb", *rows, ""]))
    whole = read_tsv(path)
    monkeypatch.setattr(metadata, "BYTES_PER_PIECE", 10)
    assert read_tsv(path).equals(whole) and len(whole) == 40
    rows[row - 2] = bad
    with pytest.raises(InputError, match=rf"metadata.tsv: .*[Rr]ow #?{row}\b"):
        read_tsv(tsv(tmp_path, "\n".join(["a\tb", *rows, ""])))


def test_blank_lines_are_no_rows(tmp_path):
    assert read_tsv(tsv(tmp_path, "a\tb\n\n1\t2\n\n\n")).to_pydict() == {"a": ["1"], "b": ["2"]}
    assert read_tsv(tsv(tmp_path, "a\tb\n\n\n")).to_pydict() == {"a": [], "b": []}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing.tsv: no such file"):
        read_tsv(tmp_path / "nothing.tsv")


def test_written_bytes_are_plain_and_do_not_depend_on_batches(tmp_path):
    table = pa.table({"a": ["1", "Käfer", ""], "b": ["NA", "x", "012"]})
    pieces = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    for number, same in enumerate((table, pieces)):
        write_tsv(tmp_path / f"{number}.tsv", same)
        assert (tmp_path / f"{number}.tsv").read_bytes() == "a\tb\n1\tNA\nKäfer\tx\n\t012\n".encode()


def test_what_needs_quotes_gets_them_and_comes_back(tmp_path):
    table = pa.table({"a": ['5" long', "plain"], "b": ["with\ttab", "x"]})
    write_tsv(tmp_path / "quoted.tsv", table)
    assert (tmp_path / "quoted.tsv").read_text() == 'a\tb\n"5"" long"\t"with\ttab"\nplain\tx\n'
    assert read_tsv(tmp_path / "quoted.tsv").to_pydict() == table.to_pydict()
    assert pd.read_csv(tmp_path / "quoted.tsv", sep="\t").to_dict("list") == table.to_pydict()
