"""Tables as pages: what is in the table is on the page, as text and not as markup."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioscan1m.html_tables import html_page
from render_tables import render_tables


def cells(table: pd.DataFrame) -> str:
    """The page from its first row on."""
    return html_page("Title", [table]).partition("<tbody>")[2]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (1128313, '<td class="number">1,128,313</td>'),
        (np.int64(1500), '<td class="number">1,500</td>'),
        (93.4567, '<td class="number">93.46</td>'),
        (0.9012, '<td class="number">0.901</td>'),
        (1500.0, '<td class="number">1,500</td>'),
        (float("nan"), '<td class="empty">–</td>'),
        (None, '<td class="empty">–</td>'),
        ("Diptera", "<td>Diptera</td>"),
        (True, "<td>True</td>"),
    ],
)
def test_cells(value, cell):
    assert cell in cells(pd.DataFrame({"column": pd.Series([value], dtype=object)}))


def test_whole_numbers_with_gaps_stay_whole():
    found = cells(pd.DataFrame({"images": [1200, None]}))
    assert ">1,200<" in found and ">–<" in found


def test_markup_in_names_and_values_is_text():
    page = html_page("<b>&", [pd.DataFrame({"<i>": ["<script>alert(1)</script>"]})])
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "<i>" not in page and "<title>&lt;b&gt;&amp;</title>" in page


def test_every_table_is_there_in_order_and_an_empty_one_says_so():
    page = html_page("All", [pd.DataFrame({"first": [1]}), pd.DataFrame({"none": []}), pd.DataFrame({"micro_f1": [2]})])
    assert page.index(">first<") < page.index("<p>None.</p>") < page.index(">micro f1<")
    assert page.count("<table>") == 2


def test_the_page_needs_no_other_file():
    page = html_page("Title", [pd.DataFrame({"a": [1]})])
    assert page.startswith("<!DOCTYPE html>") and 'charset="utf-8"' in page
    assert "src=" not in page and "href=" not in page


def test_each_table_of_the_report_becomes_its_page(tmp_path):
    tables = [tmp_path / "labels.tsv", tmp_path / "test.tsv"]
    tables[0].write_text("rank\tclasses\norder\t16\n")
    tables[1].write_text("experiment\tmicro_top1\nlarge\t\n")
    pages = [tmp_path / "pages/labels.html", tmp_path / "pages/test.html"]
    render_tables(tables, ["Labels", "Test"], pages)
    assert "<h1>Labels</h1>" in pages[0].read_text() and ">16<" in pages[0].read_text()
    assert "<h1>Test</h1>" in pages[1].read_text() and ">–<" in pages[1].read_text()
