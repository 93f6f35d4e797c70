"""Tables as small self-contained HTML pages for the report."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import pandas as pd

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1f2933; margin: 1.5rem; }
h1 { font-size: 1.25rem; font-weight: 600; }
table { border-collapse: collapse; margin: 0 0 1.5rem; }
th, td { padding: .3rem .75rem; border-bottom: 1px solid #d9e2ec; text-align: left; white-space: nowrap; }
th { background: #f0f4f8; font-weight: 600; position: sticky; top: 0; }
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
    rows = "\n".join(
        "<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in table.itertuples(index=False, name=None)
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"


def _cell(value: object) -> str:
    if pd.isna(value):
        return '<td class="empty">–</td>'
    if isinstance(value, int):
        return f'<td class="number">{value:,}</td>'
    if isinstance(value, float):
        return f'<td class="number">{value:,.2f}</td>' if not value.is_integer() else f'<td class="number">{value:,.0f}</td>'
    return f"<td>{escape(str(value))}</td>"
