"""The figures that the paper prints, as tables; the files beside this module hold nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).with_name("published")


def published(name: str) -> pd.DataFrame:
    """One table of the paper by its file name without suffix, such as `table5_test`."""
    return pd.read_csv(FOLDER / f"{name}.tsv", sep="\t")
