"""Tables as small self-contained HTML pages for the report."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from numbers import Real

import pandas as pd

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1f2933; margin: 1.5rem; }
h1 { font-size: 1.25rem; font-weight: 600; }
table { border-collapse: collapse; margin: 0 0 1.5rem; }
th, td { padding: .3rem .75rem; border-bottom: 1px solid #d9e2ec; text-align: left; white-space: nowrap; }
th { background: #f0f4f8; font-weight: 600; position: sticky; top: 0; }
td:first-child { background: #fff; position: sticky; left: 0; }
th:first-child { left: 0; z-index: 1; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.empty { color: #9aa5b1; text-align: right; }
tr:hover td { background: #f7f9fb; }
"""


def html_page(title: str, tables: Iterable[pd.DataFrame]) -> str:
    """One HTML page with its style inside. Numbers are right-aligned, missing values shown as a dash."""
    body = "\n".join(_table(table) for table in tables)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def _table(table: pd.DataFrame) -> str:
    if table.empty:
        return "<p>None.</p>"
    head = "".join(f"<th>{escape(str(column).replace('_', ' '))}</th>" for column in table.columns)
    columns = [_cells(table[column]) for column in table.columns]
    rows = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in zip(*columns, strict=True))
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"


def _cells(column: pd.Series) -> list[str]:
    """A column's cells: numbers with two decimals, three in a column of shares, none where all are whole."""
    numbers = [float(value) for value in column if _is_number(value)]
    shares = all(-1 <= value <= 1 for value in numbers)
    decimals = 0 if all(value.is_integer() for value in numbers) else 3 if shares else 2
    return [_cell(value, decimals) for value in column]


def _cell(value: object, decimals: int) -> str:
    if pd.isna(value):
        return '<td class="empty">–</td>'
    if _is_number(value):
        return f'<td class="number">{value:,.{decimals}f}</td>'
    return f"<td>{escape(str(value))}</td>"


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and not pd.isna(value)
