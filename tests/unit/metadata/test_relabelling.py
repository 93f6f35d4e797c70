"""The config reads names as others: in validated and in final metadata alike, and what it cannot do it refuses."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tables import read_parquet, write_parquet
from bioscan1m.metadata.relabelling import NOTHING_STATED, Relabelling, relabel
from bioscan1m.metadata.table import NOT_CLASSIFIED, read_tsv
from bioscan1m.metadata.validation import validate_metadata
from join_metadata import join_metadata

SOURCE = {
    "image_file": list("abcdef"),
    "chunk_number": ["1"] * 6,
    "order": ["Diptera", "diptera", "NA", "Dipetra", "Diptera", "-"],
    "kind": ["NA", "001", "1", "x", "x", "x"],
    "genus": ["NA", "NA", "A", "A", "A", "A"],
}


def both(folder: Path, relabelling: Relabelling) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """The validated and the final metadata, and the rows of each warning."""
    source = folder / "source.tsv"
    pd.DataFrame(SOURCE).to_csv(source, sep="\t", index=False)
    made = folder / "validated.parquet", folder / "warnings.tsv"
    validate_metadata(source, ["1"], ["order", "kind"], [], *made, threads=1, relabelling=relabelling)
    write_parquet(folder / "roles.parquet", pa.table({"image_file": SOURCE["image_file"]}))
    joined = folder / "joined.tsv"
    join_metadata(source, folder / "roles.parquet", ["order", "kind"], joined, threads=1, relabelling=relabelling)
    warnings = pd.read_csv(made[1], sep="\t", keep_default_na=False).set_index("check")["rows"]
    return read_parquet(made[0]).to_pandas(), read_tsv(joined).to_pandas(), warnings[warnings > 0]


def test_na_is_no_taxon_in_ranks_and_a_name_elsewhere(tmp_path):
    for table in both(tmp_path, NOTHING_STATED)[:2]:
        assert table["order"].tolist() == ["Diptera", "diptera", NOT_CLASSIFIED, "Dipetra", "Diptera", "-"]
        assert table["kind"].tolist() == SOURCE["kind"]
    assert both(tmp_path, NOTHING_STATED)[1]["genus"].tolist() == [NOT_CLASSIFIED] * 2 + ["A"] * 4
    assert both(tmp_path, NOTHING_STATED)[2].to_dict() == {
        "order is NA, read as not_classified": 1,
        "another taxon is NA, read as not_classified": 2,
    }


def test_names_are_mapped_and_counted_in_both_tables(tmp_path):
    names = {"order": {"diptera": "Diptera", "Dipetra": "Diptera"}, "kind": {"1": "001"}}
    validated, joined, warnings = both(tmp_path, Relabelling(missing=["-", "NA"], map=names))
    for table in (validated, joined):
        assert table["order"].tolist() == ["Diptera", "Diptera", NOT_CLASSIFIED, "Diptera", "Diptera", NOT_CLASSIFIED]
        assert table["kind"].tolist() == [NOT_CLASSIFIED, "001", "001", "x", "x", "x"]
    assert warnings["order is 'Dipetra', read as 'Diptera'"] == 1
    assert warnings["order is - or NA, read as not_classified"] == 2
    assert warnings["kind is '1', read as '001'"] == 1


def test_no_value_is_missing_where_the_list_is_empty(tmp_path):
    assert "NA" in both(tmp_path, Relabelling(missing=[]))[0]["order"].tolist()


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        ({"order": {"Diptra": "Diptera", "xyz": "Diptera"}}, "no row has 'Diptra'; names that are like it: 'Diptera'"),
        ({"order": {"xyz": "Diptera", "Xyz": "Diptera"}}, "no row has 'xyz'.*no row has 'Xyz'"),
        ({"family": {"x": "y"}}, "no column family, which labels.map names"),
    ],
)
def test_a_name_that_no_row_has_is_refused(tmp_path, names, fault):
    with pytest.raises(InputError, match=rf"source.tsv: .*{fault}"):
        both(tmp_path, Relabelling(map=names))


texts = st.text("abAB 01", max_size=2)


@given(st.lists(texts), st.dictionaries(texts, texts))
def test_each_value_becomes_what_its_name_is_mapped_to(values, names):
    table = pa.table({"kind": pa.chunked_array([values[:3], values[3:]], pa.string())})
    assert relabel(table, {"kind": names})["kind"].to_pylist() == [names.get(value, value) for value in values]
