"""Images that are of little use for training: what the boxes table and the classifiers find wrong with each.

Findings are reasons to look at an image, no verdicts. An image with several comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bioscan1m.boxes.table import BELOW_THRESHOLD, BLANK, UNREADABLE
from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.gallery import IMAGES_PER_ROW, draw_gallery, first_shown

COLUMNS = ["image_file", "findings", "score", "second_score", "box_share", "sharpness", "confidence"]
# Sharpness spreads over factors, so it is compared as a logarithm; at 3 robust standard deviations below the median
# stands one in 700 of a normal distribution.
BLURRED_DEVIATIONS = 3
DEVIATION_PER_MAD = 1.4826  # of a normal distribution: standard deviation / median absolute deviation
ROWS = 3  # of the figure
UNSURE = 50.0  # percent: where no class is more probable than all others together


def list_unusable(boxes: pd.DataFrame, held_out: Iterable[Predictions]) -> pd.DataFrame:
    """One row for each image with a finding, the images with most findings first, then the lowest score.

    Args:
        boxes: the boxes table.
        held_out: predictions for images outside of training, of one or more experiments.

    Returns:
        `findings`, joined by commas: unreadable; blank (nearly all pixels are equal); no_insect (the detector's best
        score is not above the threshold); cut_off (the box touches the border); several_insects (a second box is nearly
        as sure); tiny; blurred (far less sharp within the box than most); unsure (the surest classifier gives no class
        half of the probability). `confidence` is that probability in percent, empty for an image that was in all
        trainings.
    """
    table = boxes.reset_index(drop=True)
    table["confidence"] = table["image_file"].map(highest_confidence(held_out))
    findings = quality_findings(table).assign(unsure=table["confidence"] < UNSURE)
    table["findings"] = [",".join(findings.columns[row]) for row in findings.to_numpy()]
    table["number"] = findings.sum(axis=1)
    found = table[table["number"] > 0].sort_values(["number", "score"], ascending=[False, True], kind="stable")
    return found[COLUMNS].reset_index(drop=True)


def quality_findings(boxes: pd.DataFrame) -> pd.DataFrame:
    """What is wrong with each image by the boxes table alone, whatever a classifier makes of it: a flag per finding."""
    readable = boxes["status"] != UNREADABLE
    return pd.DataFrame(
        {
            "unreadable": ~readable,
            "blank": _is_true(boxes[BLANK]),
            "no_insect": boxes["status"] == BELOW_THRESHOLD,
            "cut_off": _is_true(boxes["touches_border"]),
            "several_insects": _is_true(boxes["ambiguous"]),
            "tiny": _is_true(boxes["tiny"]),
            "blurred": readable & is_blurred(boxes["sharpness"]),
        }
    )


def show_unusable(unusable: pd.DataFrame, photographs: Mapping[str, bytes]) -> Figure:
    """The first of the list in ROWS rows, with what was found; those that are not in the package cannot be shown."""
    images = ((row.image_file, _describe(row)) for row in unusable.itertuples())
    shown = first_shown(images, [photographs], ROWS * IMAGES_PER_ROW)
    return draw_gallery({f"{len(unusable):,} images with a finding": shown})


def is_blurred(sharpness: pd.Series) -> pd.Series:
    """Which of these images are far less sharp than most of them."""
    logarithms = np.log(sharpness.clip(lower=1e-3))
    spread = DEVIATION_PER_MAD * (logarithms - logarithms.median()).abs().median()
    return logarithms < logarithms.median() - BLURRED_DEVIATIONS * spread


def highest_confidence(held_out: Iterable[Predictions]) -> pd.Series:
    """image_file -> the highest probability, in percent, that any classifier gives any class."""
    series = [
        pd.Series(100 * probabilities(predictions.logits).max(axis=1), index=predictions.image_files)
        for predictions in held_out
    ]
    together = pd.concat([pd.Series(dtype=float), *series])
    return together.groupby(level=0).max()


def _describe(row: Any) -> str:
    sure = "" if pd.isna(row.confidence) else f"\nclassifier {row.confidence:.0f} %"
    findings = row.findings.replace(",", "\n").replace("_", " ")
    return f"{findings}\ndetector {100 * row.score:.0f} %{sure}"


def _is_true(flags: pd.Series) -> pd.Series:
    """The flags, null as false."""
    return flags.astype("boolean").fillna(False).astype(bool)
