"""Tables as small self-contained HTML pages for the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from itertools import chain, groupby, repeat, takewhile
from numbers import Real

import pandas as pd

STYLE = """
body { font: 12px/1.4 system-ui, sans-serif; color: #1f2933; margin: 1rem; }
h1 { font-size: 1.25rem; font-weight: 600; }
h2 { font-size: 1rem; font-weight: 600; }
table { border-collapse: collapse; margin: 0 0 1.5rem; }
th, td { padding: .2rem .35rem; border-bottom: 1px solid #d9e2ec; text-align: left; }
td { background: #fff; white-space: pre-wrap; }
th { background: #f0f4f8; font-weight: 600; vertical-align: bottom; }
thead th { position: sticky; top: 0; }
tr > :first-child { position: sticky; left: 0; }
thead th:first-child { z-index: 1; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
td.empty { color: #616e7c; text-align: right; }
td.published { background: #fbf6e9; }
th.published { background: #f3ead0; }
.side tbody th { white-space: nowrap; }
.side td { text-align: right; white-space: pre-wrap; vertical-align: top; }
tr:hover td { background: #eaf1f8; }
"""
# In the names of columns that hold the paper's figures.
PUBLISHED = "published"
# A table with more columns does not fit beside the navigation of the report on a screen of 1,366 pixels: with so many
# more than it has rows it lies on its side, else it is cut.
MOST_COLUMNS, COLUMNS_PER_ROW = 9, 3


def html_page(title: str, tables: Iterable[pd.DataFrame], headings: Iterable[str] = (), empty: str = "None.") -> str:
    """One HTML page with its style inside. Numbers are right-aligned, missing values shown as a dash.

    The columns that hold the paper's figures have another colour. `headings` are those of the tables, in order;
    `empty` stands in place of a table without rows.
    """
    above = chain((f"<h2>{escape(heading)}</h2>\n" for heading in headings), repeat(""))
    body = "\n".join(heading + _table(table, empty) for table, heading in zip(tables, above, strict=False))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def _table(table: pd.DataFrame, empty: str) -> str:
    if table.empty:
        return f"<p>{escape(empty)}</p>"
    table = table.rename(columns=str)
    if len(table.columns) > max(MOST_COLUMNS, COLUMNS_PER_ROW * len(table)):
        return _markup('<table class="side">', *_on_its_side(table, _columns(table)))
    return "\n".join(_markup("<table>", *_upright(part, _columns(part))) for part in _parts(table))


def _markup(opening: str, head: str, rows: Iterable[str]) -> str:
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f"{opening}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def _columns(table: pd.DataFrame) -> dict[str, list[str]]:
    return {name: _cells(name, column) for name, column in table.items()}


def _parts(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The table, or parts of it that fit a page, one below the other.

    Each part begins with the first columns of text, or with the first column where there are none. Columns of one
    metric stay together: those whose names begin with the same two words.
    """
    if len(table.columns) <= MOST_COLUMNS:
        yield table
        return
    texts = takewhile(lambda name: not any(map(_is_number, table[name])), table.columns)
    names = list(texts) or [table.columns[0]]
    part = list(names)
    for _, metric in groupby(table.columns[len(names) :], key=lambda name: name.split("_")[:2]):
        columns = list(metric)
        if len(part) > len(names) and len(part) + len(columns) > MOST_COLUMNS:
            yield table[part]
            part = list(names)
        part += columns
    yield table[part]


def _upright(table: pd.DataFrame, columns: dict[str, list[str]]) -> tuple[str, list[str]]:
    """The head and the rows of a page's table that has the rows of `table`."""
    kinds = ["number" if any(map(_is_number, column)) else "" for _, column in table.items()]
    head = "".join(_heading(name, kind=kind) for name, kind in zip(columns, kinds, strict=True))
    return head, ["".join(cells) for cells in zip(*columns.values(), strict=True)]


def _on_its_side(table: pd.DataFrame, columns: dict[str, list[str]]) -> tuple[str, list[str]]:
    """The same with a column for each row of `table`, under its first value."""
    first, *others = columns
    names = [_heading(first, str(value), kind="number") for value in table.iloc[:, 0]]
    return _heading(first) + "".join(names), [_heading(name) + "".join(columns[name]) for name in others]


def _heading(name: str, text: str | None = None, kind: str = "") -> str:
    """The heading of a column by its name, or with another text."""
    shown = escape(name.replace("_", " ") if text is None else text)
    return f"<th{_classes(name, kind)}>{shown.replace('_', '_<wbr>')}</th>"


def _cells(name: str, column: pd.Series) -> list[str]:
    """A column's cells: numbers with two decimals, three in a column of finer shares, none where all are whole."""
    numbers = [float(value) for value in column if _is_number(value)]
    shares = all(-1 <= value <= 1 for value in numbers) and any(round(value, 2) != value for value in numbers)
    decimals = 0 if all(value.is_integer() for value in numbers) else 3 if shares else 2
    return [_cell(name, value, decimals) for value in column]


def _cell(name: str, value: object, decimals: int) -> str:
    if pd.isna(value):
        return f"<td{_classes(name, 'empty')}>–</td>"
    if _is_number(value):
        return f"<td{_classes(name, 'number')}>{value:,.{decimals}f}</td>"
    return f"<td{_classes(name)}>{escape(str(value))}</td>"


def _classes(name: str, kind: str = "") -> str:
    """The attribute with the classes of a cell in the column `name`."""
    classes = " ".join(filter(None, (kind, "published" if PUBLISHED in name else "")))
    return f' class="{classes}"' if classes else ""


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and not pd.isna(value)
