"""The predictions of the selected classifiers for new photographs: a table with a row for each, and a figure.

A classifier has only the classes of its experiment: one of Diptera families finds a family for a beetle too. The
prediction set and the deepest safe rank show how reliable a prediction is for images like those of the dataset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bioscan1m.boxes.table import BLANK, CORNERS, UNREADABLE, read_boxes
from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.gallery import IMAGES_PER_ROW, draw_gallery, name_above
from bioscan1m.foundation.quarantine import read_quarantine
from bioscan1m.inference.coverage import form_sets, name_members
from bioscan1m.metadata.taxonomy import Rank, deepest_safe

BOX_COLUMNS = ["image_file", "status", *CORNERS, "score"]
ROWS = 4  # of the figure
NEARLY_EQUAL = "blank: nearly all pixels are equal"


def list_photographs(
    package: Mapping[str, bytes], boxes: Sequence[str | Path], quarantine: Sequence[str | Path]
) -> pd.DataFrame:
    """One row per photograph: image_file, status, the box with its score, and the problem of one that is not usable.

    `boxes` is the boxes table, in the order of the photographs; none where nothing was cropped: then all that is known
    of a photograph is whether it is in the package. `quarantine` are the tables of what could not be used.
    """
    problems = {image_file: reason for path in quarantine for image_file, _, reason in read_quarantine(path)}
    if boxes:
        read = pd.concat(map(read_boxes, boxes))
        problems |= dict.fromkeys(read.loc[read[BLANK].astype("boolean").fillna(False), "image_file"], NEARLY_EQUAL)
        table = read[BOX_COLUMNS]
    else:
        names = sorted({*package, *problems})
        table = pd.DataFrame({"image_file": names, "status": [None if n in package else UNREADABLE for n in names]})
    return table.assign(problem=table["image_file"].map(problems))


def prediction_columns(
    experiment: str, predictions: Predictions, calibration: Predictions, ranks: Sequence[Rank], level: float
) -> pd.DataFrame:
    """Make the columns of one experiment.

    Args:
        experiment: its name, with which the names of the columns begin.
        predictions: for the photographs.
        calibration: the predictions for the validation images.
        ranks: those of the classes, the coarsest first.
        level: a share, as 0.95.

    Returns:
        By image_file the most probable class, its probability in percent (`_confidence`), the prediction set at the
        level (as `_set_95`, the most probable class first), the deepest rank at which a taxon has that probability, and
        the taxon (`_rank_95` and `_taxon_95`, empty where no rank has).
    """
    chances = probabilities(predictions.logits)
    safe = deepest_safe(chances, ranks, level)
    members = name_members(predictions.classes, predictions.logits, form_sets(calibration, predictions.logits, level))
    columns = {
        "": [predictions.classes[place] for place in predictions.predicted],
        "_confidence": (100 * chances.max(axis=1)).round(2),
        f"_set_{100 * level:g}": [", ".join(names) for names in members],
        f"_rank_{100 * level:g}": safe.rank,
        f"_taxon_{100 * level:g}": safe.taxon,
    }
    return pd.DataFrame(
        {f"{experiment}{suffix}": values for suffix, values in columns.items()}, index=predictions.image_files
    )


def join_predictions(photographs: pd.DataFrame, columns: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The table of photographs with the columns of all experiments, empty where a photograph could not be used."""
    joined = photographs.set_index("image_file")
    for one in columns:
        joined = joined.join(one)
    return joined.reset_index(names="image_file")


def show_predictions(table: pd.DataFrame, package: Mapping[str, bytes], experiments: Sequence[str]) -> Figure:
    """The first photographs, or crops of them, with the most probable class of each experiment, in their order."""
    usable = table[table["image_file"].isin(list(package))]
    shown = usable.head(ROWS * IMAGES_PER_ROW)
    images = [(package[row["image_file"]], _describe(row, experiments)) for _, row in shown.iterrows()]
    return draw_gallery({f"{len(usable):,} of {len(table):,} photographs, by {', '.join(experiments)}": images})


def _describe(row: pd.Series, experiments: Sequence[str]) -> str:
    return "\n".join(
        [name_above(row["image_file"]), *(f"{row[one]} {row[f'{one}_confidence']:.0f} %" for one in experiments)]
    )
