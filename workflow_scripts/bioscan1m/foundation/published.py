"""The figures that the paper prints, as tables; the files beside this module hold nothing else.

Results stand beside them where the images are those of the paper (key `paper_figures`).
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).with_name("published")
# The names of columns in results that hold figures of the paper or compare with them.
OF_PAPER = re.compile("_published|_difference$|differs_from_paper")


def published(name: str) -> pd.DataFrame:
    """One table of the paper by its file name without suffix, such as `table5_test`."""
    import pandas as pd  # not at the top, for the selection of a trial needs the rows alone

    return pd.read_csv(FOLDER / f"{name}.tsv", sep="\t")


def published_rows(name: str) -> list[dict[str, str]]:
    """The rows of the same table by column, as text."""
    with (FOLDER / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def beside_paper(table: pd.DataFrame, is_shown: bool) -> pd.DataFrame:
    """The table as it is, or without the columns of the paper."""
    return table if is_shown else table.drop(columns=[name for name in table if OF_PAPER.search(name)])
