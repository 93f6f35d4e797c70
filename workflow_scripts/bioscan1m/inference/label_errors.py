"""Probable label errors among held-out images: labels that a classifier doubts that has not seen the image.

Listed is every image that the classifier gives another class than its label, the one with the widest margin between the
two probabilities first (cleanlab's normalized_margin). Those are marked that confident learning (Northcutt et al. 2021)
takes for errors: there the classifier is surer of the other class than it usually is of it. Only images outside of
training can be judged, those of the roles validation and test; another `splits.seed` gives others these roles.

How far the list can be trusted is measured on the same predictions: of labels that are changed at random, how many come
first? The errors and doubts that were there before count against it. The labels are changed after the training, for to
train once more would cost as much as the experiment: the classifier has learned from the labels as they came. One that
learns from so many more wrong labels is a worse judge, so that the measurement is somewhat too good.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.gallery import IMAGES_PER_ROW, draw_gallery, name_above

COLUMNS = [
    "experiment",
    "image_file",
    "role",
    "label",
    "label_probability",
    "suggested_label",
    "suggested_probability",
    "confident",
]
TRUST_COLUMNS = [
    "experiment",
    "images",
    "changed_labels",
    "rounds",
    "precision_at_top",
    "confident_precision",
    "confident_recall",
]
# Of the measurement of trust: share of the labels that are changed, and how often this is done anew.
CHANGED_SHARE, ROUNDS = 0.05, 10

# The predictions of an experiment for its held-out images, by role.
HeldOut = Mapping[str, Predictions]


def find_label_errors(experiments: Mapping[str, HeldOut]) -> pd.DataFrame:
    """The probable label errors of each experiment, the most probable first; probabilities are percentages."""
    rows = [row for experiment, held_out in experiments.items() for row in _describe_errors(experiment, held_out)]
    return pd.DataFrame(rows, columns=COLUMNS)


def measure_trust(experiments: Mapping[str, HeldOut], seed: int) -> pd.DataFrame:
    """One row per experiment: how well errors are found that were made on purpose, as percentages.

    In each round CHANGED_SHARE of the held-out labels become another class, any with the same chance; those that the
    classifier learned from stay. Figures are means over the rounds. `precision_at_top` is the share of changed labels
    among as many images from the top of the list as were changed. `confident_precision` is that among the images that
    confident learning takes for errors, and `confident_recall` the share of the changed labels among these.
    """
    rows = []
    for experiment, held_out in experiments.items():
        labels, chances = _labels_and_probabilities(held_out)
        random = np.random.default_rng(seed)
        changed = max(1, round(CHANGED_SHARE * len(labels)))
        rounds = pd.DataFrame([_look_for_changed(labels, chances, changed, random) for _ in range(ROUNDS)])
        counts = {"experiment": experiment, "images": len(labels), "changed_labels": changed, "rounds": ROUNDS}
        rows.append(counts | (100 * rounds.mean()).to_dict())
    return pd.DataFrame(rows, columns=TRUST_COLUMNS)


def show_label_errors(errors: pd.DataFrame, package: Mapping[str, bytes], experiments: Iterable[str]) -> Figure:
    """The first of the label errors of each experiment, with the label and what the image looks like."""
    rows = {}
    for experiment in experiments:
        own = errors[errors["experiment"] == experiment]
        confident = (own["confident"] == "yes").sum()
        labels = "label" if len(own) == 1 else "labels"
        rows[f"{experiment}: {len(own):,} doubtful {labels}, {confident:,} of them errors by confident learning"] = [
            (
                package[row.image_file],
                f"{name_above(row.image_file)}\nlabelled {row.label}\nlooks like {row.suggested_label}\n"
                f"{row.label_probability:.0f} % against {row.suggested_probability:.0f} %",
            )
            for row in own.head(IMAGES_PER_ROW).itertuples()
        ]
    return draw_gallery(rows)


def ranked_errors(labels: np.ndarray, chances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of probable errors, the most probable first, and whether confident learning takes each for one.

    `labels` (images,) are class indices, `chances` (images, classes) probabilities of a classifier that has not seen
    the images. Where all labels are of one class, there is no measure and nothing is listed.
    """
    if len(np.unique(labels)) < 2:
        return np.empty(0, np.int64), np.empty(0, bool)
    from cleanlab.filter import find_label_issues  # slow to import
    from cleanlab.rank import get_label_quality_scores

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without an image, of which there is nothing to find
        confident = find_label_issues(labels, chances, n_jobs=1)
    quality = get_label_quality_scores(labels, chances, method="normalized_margin")
    ranked = np.argsort(quality, kind="stable")
    listed = ranked[((chances.argmax(axis=1) != labels) | confident)[ranked]]
    return listed, confident[listed]


def change_labels(labels: np.ndarray, classes: int, changed: int, random: np.random.Generator) -> np.ndarray:
    """Change labels at random.

    Args:
        labels: (images,) class indices.
        classes: their number.
        changed: how many labels become one of the other classes.
        random: draws them.

    Returns:
        The changed labels (images,).
    """
    places = random.choice(len(labels), size=changed, replace=False)
    wrong = labels.copy()
    wrong[places] = (labels[places] + random.integers(1, classes, size=changed)) % classes
    return wrong


def _describe_errors(experiment: str, held_out: HeldOut) -> Iterator[dict[str, object]]:
    labels, chances = _labels_and_probabilities(held_out)
    images = [(name, role) for role, predictions in held_out.items() for name in predictions.image_files]
    classes, suggested = next(iter(held_out.values())).classes, chances.argmax(axis=1)
    for place, confident in zip(*ranked_errors(labels, chances), strict=True):
        yield {
            "experiment": experiment,
            "image_file": images[place][0],
            "role": images[place][1],
            "label": classes[labels[place]],
            "label_probability": 100 * chances[place, labels[place]],
            "suggested_label": classes[suggested[place]],
            "suggested_probability": 100 * chances[place, suggested[place]],
            "confident": "yes" if confident else "no",
        }


def _look_for_changed(
    labels: np.ndarray, chances: np.ndarray, changed: int, random: np.random.Generator
) -> dict[str, float]:
    wrong = change_labels(labels, chances.shape[1], changed, random)
    listed, confident = ranked_errors(wrong, chances)
    found = wrong[listed] != labels[listed]
    return {
        "precision_at_top": found[:changed].sum() / changed,
        "confident_precision": found[confident].mean() if confident.any() else np.nan,
        "confident_recall": found[confident].sum() / changed,
    }


def _labels_and_probabilities(held_out: HeldOut) -> tuple[np.ndarray, np.ndarray]:
    """Labels (images,) and probabilities (images, classes) of all roles, one after the other."""
    labels = np.concatenate([predictions.truth for predictions in held_out.values()])
    return labels, np.concatenate([probabilities(predictions.logits) for predictions in held_out.values()])
