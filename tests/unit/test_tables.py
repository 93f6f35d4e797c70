"""Tables have a header, no index, and the digits that were asked for."""

from __future__ import annotations

import pandas as pd

from bioscan1m.tables import write_table


def test_a_table_is_written(tmp_path):
    table = pd.DataFrame({"name": ["a", "b"], "share": [1 / 3, None], "count": [1, 2]})
    write_table(tmp_path / "a.tsv", table, decimals=2)
    assert (tmp_path / "a.tsv").read_bytes() == b"name\tshare\tcount\na\t0.33\t1\nb\t\t2\n"
    write_table(tmp_path / "a.tsv", table.head(1))
    assert (tmp_path / "a.tsv").read_text().splitlines()[1] == "a\t0.3333333333333333\t1"
