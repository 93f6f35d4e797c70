"""Show the tables of the results as pages of the report."""

from collections.abc import Iterable

import pandas as pd

from bioscan1m.foundation.atomic import write_text
from bioscan1m.foundation.html import html_page
from bioscan1m.jobs.context import job

# Columns for readers of the TSV that a reader of the page finds in the name of the experiment.
SAID_BY_EXPERIMENT = ["task", "size"]

# Columns of names, of which any may look like a number: `001`, `1e5`. The first column of a table is one too.
NAMES = (
    *("chunk", "class", "largest", "smallest", "majority_class", "dominant_class", "name", "resembles", "image_file"),
    *("experiment", "val_set", "backbone", "loss", "model", "network", "example"),
)


def render_tables(tables: Iterable[str], titles: Iterable[str], empty: Iterable[str], pages: Iterable[str]) -> None:
    """Write one HTML page for each TSV, with its title; `empty` is what a page has in place of a table without rows."""
    for table, title, nothing, page in zip(tables, titles, empty, pages, strict=True):
        shown = _read(table).drop(columns=SAID_BY_EXPERIMENT, errors="ignore")
        write_text(page, html_page(title, [shown], empty=nothing))


def _read(table: str) -> pd.DataFrame:
    first = pd.read_csv(table, sep="\t", nrows=0).columns[0]
    names = dict.fromkeys((first, *NAMES), str)
    return pd.read_csv(table, sep="\t", dtype=names, keep_default_na=False, na_values=[""])


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        render_tables(inputs.tables, params.titles, params.empty, outputs.pages)
