"""Tables have a header, no index, and the digits that were asked for."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan1m.foundation.tables import write_table
from bioscan1m.foundation.tsv import write_rows


def test_a_table_is_written(tmp_path):
    table = pd.DataFrame({"name": ["a", "b"], "share": [1 / 3, None], "count": [1, 2]})
    write_table(tmp_path / "a.tsv", table, decimals=2)
    assert (tmp_path / "a.tsv").read_bytes() == b"name\tshare\tcount\na\t0.33\t1\nb\t\t2\n"
    write_table(tmp_path / "a.tsv", table.head(1))
    assert (tmp_path / "a.tsv").read_text().splitlines()[1] == "a\t0.3333333333333333\t1"


texts = st.text(st.characters(codec="utf-8")) | st.sampled_from(["", '"', "a\tb", "a\nb", "\r", "'", " ", "NA", "1e5"])
numbers = st.integers(-(2**63), 2**63 - 1)


rows_of_texts_and_numbers = st.lists(
    st.fixed_dictionaries({"name": texts, "images": numbers, "a note": texts}), min_size=1
) | st.lists(st.fixed_dictionaries({"alone": texts}), min_size=1)


@given(rows=rows_of_texts_and_numbers)
@settings(deadline=None)
def test_rows_are_written_as_pandas_writes_them(tmp_path_factory, rows):
    folder = tmp_path_factory.getbasetemp()
    write_rows(folder / "ours.tsv", list(rows[0]), ([row[name] for name in rows[0]] for row in rows))
    write_table(folder / "theirs.tsv", pd.DataFrame(rows))
    assert (folder / "ours.tsv").read_bytes() == (folder / "theirs.tsv").read_bytes()
