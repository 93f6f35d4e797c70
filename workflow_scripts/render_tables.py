"""Show the tables of the results as pages of the report."""

from collections.abc import Iterable

import pandas as pd

from bioscan1m.atomic import write_text
from bioscan1m.html_tables import html_page
from bioscan1m.job import job

# Columns for readers of the TSV that a reader of the page finds in the name of the experiment.
SAID_BY_EXPERIMENT = ["task", "size"]

NAMES = {"chunk": str}  # may look like numbers


def render_tables(tables: Iterable[str], titles: Iterable[str], pages: Iterable[str]) -> None:
    """Write one HTML page for each TSV."""
    for table, title, page in zip(tables, titles, pages, strict=True):
        read = pd.read_csv(table, sep="\t", dtype=NAMES, keep_default_na=False, na_values=[""])
        shown = read.drop(columns=SAID_BY_EXPERIMENT, errors="ignore")
        write_text(page, html_page(title, [shown]))


if __name__ == "__main__":
    with job(snakemake):
        render_tables(snakemake.input.tables, snakemake.params.titles, snakemake.output.pages)
