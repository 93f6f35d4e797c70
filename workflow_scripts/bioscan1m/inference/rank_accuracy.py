"""Accuracy at each rank on the test images: how often its most probable taxon is right, and how often it is safe.

All shares are percentages. Where all classes are in one taxon, as the families of Diptera are in one order, that rank
is right by construction, which its number of taxa shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.tables import write_parquet
from bioscan1m.metadata.taxonomy import Rank, deepest_safe

COLUMNS = ["experiment", "level", "rank", "taxa", "accuracy", "deepest_safe", "accuracy_there"]
NO_RANK = "none"


@dataclass(frozen=True)
class RankedTest:
    """The test predictions of an experiment with the ranks of its classes, the coarsest first."""

    experiment: str
    test: Predictions
    ranks: list[Rank]


def rank_accuracy(experiments: Sequence[RankedTest], levels: Sequence[float]) -> pd.DataFrame:
    """One row for each experiment, level and rank, the coarsest first, and one for the images that no rank is safe for.

    `accuracy` is that of the rank's most probable taxon over all images, `deepest_safe` the share of the images whose
    deepest safe rank it is, `accuracy_there` how often their taxon is right.
    """
    rows = [
        {"experiment": tested.experiment, "level": 100 * level, **row}
        for tested in experiments
        for level in levels
        for row in _describe_level(tested, level)
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"taxa": "Int64"})


def write_ranked(path: str | Path, tested: RankedTest, levels: Sequence[float]) -> None:
    """Write a Parquet table with one row per image.

    image_file and truth; for each rank its most probable taxon in a column of the rank's name, and its probability; for
    each level, as `rank_95` and `taxon_95`, the deepest safe rank and the taxon there, null where no rank is safe.
    """
    chances = probabilities(tested.test.logits)
    columns = {
        "image_file": pa.array(tested.test.image_files, pa.string()),
        "truth": pa.array([tested.test.classes[place] for place in tested.test.truth], pa.string()),
    }
    for rank in tested.ranks:
        rolled = rank.roll_up(chances)
        columns[rank.name] = pa.array([rank.taxa[place] for place in rolled.argmax(axis=1)], pa.string())
        columns[f"{rank.name}_probability"] = pa.array(rolled.max(axis=1), pa.float32())
    for level in levels:
        safe = deepest_safe(chances, tested.ranks, level)
        columns[f"rank_{100 * level:g}"] = pa.array(safe.rank, pa.string())
        columns[f"taxon_{100 * level:g}"] = pa.array(safe.taxon, pa.string())
    write_parquet(path, pa.table(columns))


def _describe_level(tested: RankedTest, level: float) -> list[dict[str, object]]:
    chances, truth = probabilities(tested.test.logits), tested.test.truth
    safe = deepest_safe(chances, tested.ranks, level)
    given = np.array([name or NO_RANK for name in safe.rank])
    rows = []
    for rank in tested.ranks:
        true_taxa = rank.of_class[truth]
        right = rank.roll_up(chances).argmax(axis=1) == true_taxa
        own = given == rank.name
        rows.append(
            {
                "rank": rank.name,
                "taxa": len(rank.taxa),
                "accuracy": 100 * right.mean(),
                "deepest_safe": 100 * own.mean(),
                "accuracy_there": 100 * right[own].mean() if own.any() else None,
            }
        )
    return [*rows, {"rank": NO_RANK, "deepest_safe": 100 * (given == NO_RANK).mean()}]
