"""Tables as pages: what is in the table is on the page, as text and not as markup."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from bioscan1m.foundation.html import html_page
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


def test_columns_of_the_paper_can_be_told_from_the_runs():
    page = html_page("Test", [pd.DataFrame({"top1": [98.5], "top1_published": [99.25], "model_published": ["ViT"]})])
    assert '<th class="number published">top1 published</th><th class="published">model published</th>' in page
    assert '<td class="number">98.50</td><td class="number published">99.25</td><td class="published">ViT</td>' in page


def test_a_table_of_few_rows_and_many_columns_lies_on_its_side():
    table = pd.DataFrame({"experiment": ["small_order", "large_order"], **{f"top_{k}": [k / 4, 3] for k in range(15)}})
    page = html_page("Test", [table])
    assert '<th>experiment</th><th class="number">small_<wbr>order</th>' in page
    assert page.count("<tr>") == 1 + 15
    assert '<tr><th>top 6</th><td class="number">1.50</td><td class="number">3.00</td></tr>' in page
    assert page.count("<td") == 2 * 15


def test_a_long_table_of_many_columns_of_text_stays_whole():
    page = html_page("Validation", [pd.DataFrame([dict.fromkeys(map(str, range(15)), "a")] * 10)])
    assert page.count("<tr>") == 1 + 10


def test_a_long_wide_table_is_cut_into_parts_that_name_their_rows_and_keep_metrics_together():
    figures = [
        f"{metric}_{figure}" for metric in ("micro_top1", "macro_top1", "macro_f1") for figure in ("mean", "std")
    ]
    row = {"experiment": "small", "model": "ViT", "seeds": 3} | dict.fromkeys(
        [*figures, *map("x_y_{}".format, range(4))], 2.5
    )
    parts = html_page("Validation", [pd.DataFrame([row] * 10)]).split("<table>")[1:]
    heads = [re.findall(r"<th[^>]*>([^<]*)</th>", part) for part in parts]
    assert heads == [
        ["experiment", "model", "seeds", *(figure.replace("_", " ") for figure in figures)],
        ["experiment", "model", "x y 0", "x y 1", "x y 2", "x y 3"],
    ]
    assert [part.count("<td>ViT</td>") for part in parts] == [10, 10]


def test_whole_hundredths_have_two_decimals_also_below_one():
    assert ">0.04<" in cells(pd.DataFrame({"difference": [0.04, -0.7]}))


def test_headings_stand_above_their_tables_also_above_an_empty_one():
    tables = [pd.DataFrame({"files": [3]}), pd.DataFrame(), pd.DataFrame({"x": [1]})]
    page = html_page("Audit", tables, ["Files", "<A>"])
    assert page.index("<h2>Files</h2>") < page.index(">3<") < page.index("<h2>&lt;A&gt;</h2>\n<p>None.</p>")
    assert page.count("<h2>") == 2 and page.count("<table>") == 2


def test_the_page_needs_no_other_file():
    page = html_page("Title", [pd.DataFrame({"a": [1]})])
    assert page.startswith("<!DOCTYPE html>") and 'charset="utf-8"' in page
    assert "src=" not in page and "href=" not in page


def test_each_table_of_the_report_becomes_its_page(tmp_path):
    tables = [tmp_path / "labels.tsv", tmp_path / "test.tsv"]
    tables[0].write_text("rank\tclasses\norder\t16\n")
    tables[1].write_text("experiment\tmicro_top1\nlarge\t\n")
    pages = [tmp_path / "pages/labels.html", tmp_path / "pages/test.html"]
    render_tables(tables, ["Labels", "Test"], ["None."] * 2, pages)
    assert "<h1>Labels</h1>" in pages[0].read_text() and ">16<" in pages[0].read_text()
    assert "<h1>Test</h1>" in pages[1].read_text() and ">–<" in pages[1].read_text()


def test_the_pages_leave_out_what_the_name_of_the_experiment_says(tmp_path):
    table, page = tmp_path / "test.tsv", tmp_path / "test.html"
    table.write_text("experiment\ttask\tsize\tseed\nlarge_insect_order\tinsect_order\tlarge\t7\n")
    render_tables([table], ["Test"], ["None."], [page])
    assert "large_insect_order" in page.read_text() and ">7<" in page.read_text()
    assert ">task<" not in page.read_text() and ">insect_order<" not in page.read_text()


def test_what_stands_in_place_of_a_table_without_rows_can_be_said():
    assert "<p>Every image &amp; row</p>" in html_page("Title", [pd.DataFrame({"a": []})], empty="Every image & row")
