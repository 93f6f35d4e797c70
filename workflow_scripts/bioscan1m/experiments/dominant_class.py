"""The dominant class of the dataset, for which the paper counts mistakes (figure A4): Diptera among the orders."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path


def dominant_classes(counts: str | Path, tasks: Mapping[str, str]) -> dict[str, str]:
    """The class with most images of the dataset, for each experiment.

    The subset that an experiment trains on is balanced, so its own images do not show which class that is.

    Args:
        counts: results/splits/counts.tsv, with the images by experiment, class and role.
        tasks: by experiment the one whose images it is drawn from, or itself.

    Returns:
        By experiment, of its classes, the one with most images in the task; of equals the first by name.
    """
    images: dict[str, Counter[str]] = {}
    with open(counts, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            images.setdefault(row["experiment"], Counter())[row["class"]] += int(row["images"])
    dominant = {}
    for experiment, task in tasks.items():
        own = sorted(name for name, count in images[experiment].items() if count)
        dominant[experiment] = max(own, key=lambda name: images[task][name])
    return dominant
