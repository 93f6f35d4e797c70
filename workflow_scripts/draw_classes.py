"""Draw an image of each class with the number of its images (figure 4)."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.gallery import IMAGES_PER_ROW, Shown, draw_gallery, is_drawable, name_above
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.jobs.context import job
from bioscan1m.metadata.statistics import largest_experiments
from bioscan1m.package.images import ImagePackage

logger = logging.getLogger(__name__)

MOST_CLASSES = 8 * IMAGES_PER_ROW
CANDIDATES = 20  # of each class


def read_class_table(path: str | Path) -> pd.DataFrame:
    """The class table; names of experiments and classes may look like numbers."""
    return pd.read_csv(path, sep="\t", dtype={"experiment": str, "class": str}, keep_default_na=False)


def draw_classes(classes: pd.DataFrame, splits: Mapping[str, str | Path], package: Mapping[str, bytes]) -> Figure:
    """The largest classes of each experiment with an image of each, largest class first.

    Args:
        classes: the class table: experiment, class and images.
        splits: by experiment that is drawn the table of its images, with image_file and label.
        package: the images.

    Returns:
        The figure. A class without a readable image in the package is left out, and the log names it.
    """
    groups: dict[str, Sequence[tuple[Shown, str]]] = {}
    for name, split in splits.items():
        table = classes[classes["experiment"] == name]
        largest = table.head(MOST_CLASSES)
        shown = choose_images(split, set(largest["class"]), package)
        if missing := [label for label in largest["class"] if label not in shown]:
            logger.info("%s: classes left out, the package has no readable image: %s", name, ", ".join(missing))
        which = "" if len(largest) == len(table) else f", of which the {len(largest)} largest"
        groups[f"{name}: {len(table)} classes{which}"] = [
            (package[shown[row["class"]]], f"{name_above(shown[row['class']])}\n{row['class']}\n{row['images']:,}")
            for row in largest.to_dict("records")
            if row["class"] in shown
        ]
    return draw_gallery(groups)


def choose_images(split: str | Path, classes: set[str], package: Mapping[str, bytes]) -> dict[str, str]:
    """Of the first images of each class in the package the readable one with most bytes: there is most to see."""
    chosen: dict[str, list[str]] = {name: [] for name in classes}
    table = read_parquet(split, ["image_file", "label"])
    for image_file, label in zip(table["image_file"].to_pylist(), table["label"].to_pylist(), strict=True):
        if label in chosen and len(chosen[label]) < CANDIDATES and image_file in package:
            chosen[label].append(image_file)
    best = {label: _largest_readable(images, package) for label, images in chosen.items()}
    return {label: image_file for label, image_file in best.items() if image_file is not None}


def _largest_readable(images: Sequence[str], package: Mapping[str, bytes]) -> str | None:
    largest = sorted(images, key=lambda name: len(package[name]), reverse=True)
    return next((name for name in largest if is_drawable(package[name])), None)


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        classes = read_class_table(inputs.classes)
        splits = dict(zip(params.experiments, inputs.splits, strict=True))
        drawn = {name: splits[name] for name in largest_experiments(classes, params.experiments)}
        save_figure(draw_classes(classes, drawn, ImagePackage(inputs.package)), outputs.figure)
