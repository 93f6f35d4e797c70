"""The metadata as JSON-LD is a list of its rows, one a line, with every value as it is in the table."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from bioscan1m.foundation.errors import InputError
from bioscan1m.metadata import table
from bioscan1m.metadata.table import write_tsv
from write_jsonld import write_jsonld_records

ROWS = [
    {"image_file": "a.jpg", "order": "Diptera", "chunk_number": "012"},
    {"image_file": "Käfer.jpg", "order": "NA", "chunk_number": ""},
    {"image_file": 'b"1".jpg', "order": "back\\slash", "chunk_number": "1e3"},
]


def test_records_are_the_rows_one_a_line(tmp_path):
    write_tsv(tmp_path / "table.tsv", pa.Table.from_pylist(ROWS))
    assert write_jsonld_records(tmp_path / "records.jsonld", tmp_path / "table.tsv") == {"in": 3, "out": 3}
    text = (tmp_path / "records.jsonld").read_text(encoding="utf-8")
    assert json.loads(text) == ROWS
    assert [json.loads(line.rstrip(",")) for line in text.splitlines()[1:-1]] == ROWS


def test_pieces_of_the_table_make_no_difference(tmp_path, monkeypatch):
    rows = [{"image_file": f"{number}.jpg", "order": "x" * (number % 7)} for number in range(500)]
    write_tsv(tmp_path / "table.tsv", pa.Table.from_pylist(rows))
    write_jsonld_records(tmp_path / "whole.jsonld", tmp_path / "table.tsv")
    monkeypatch.setattr(table, "BYTES_PER_PIECE", 100)
    write_jsonld_records(tmp_path / "pieces.jsonld", tmp_path / "table.tsv")
    assert (tmp_path / "pieces.jsonld").read_bytes() == (tmp_path / "whole.jsonld").read_bytes()
    assert json.loads((tmp_path / "whole.jsonld").read_text()) == rows


def test_a_table_without_rows_is_an_empty_list(tmp_path):
    (tmp_path / "table.tsv").write_text("image_file\torder\n")
    assert write_jsonld_records(tmp_path / "records.jsonld", tmp_path / "table.tsv") == {"in": 0, "out": 0}
    assert json.loads((tmp_path / "records.jsonld").read_text()) == []


def test_a_broken_table_leaves_no_file(tmp_path):
    (tmp_path / "table.tsv").write_text("image_file\torder\na.jpg\tDiptera\tmore\n")
    with pytest.raises(InputError, match="row 2 has 3 cells, and the header 2 columns"):
        write_jsonld_records(tmp_path / "records.jsonld", tmp_path / "table.tsv")
    assert not (tmp_path / "records.jsonld").exists()
