"""Which measure knows best that an image is unlike those that a classifier learned from?

    PYTHONPATH=tests:workflow_scripts python -m benchmark.novelty RUN EXPERIMENT

Each measure is computed for the experiment's test images and for other images: those of classes that the selected trial
is trained again without (--leave-out), and those of any packages (--others). AUROC is that of telling both apart; the
share refused is that beyond the threshold that 5 % of the validation images exceed, and of the test images too.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from bioscan1m.boxes.table import DETECTED, read_boxes
from bioscan1m.experiments.settings import trial_of
from bioscan1m.experiments.trained import write_model
from bioscan1m.experiments.trained_classifier import TrainedClassifier, load_trained
from bioscan1m.experiments.training import train
from bioscan1m.inference.conformal import conformal_threshold
from bioscan1m.inference.embeddings import embed
from bioscan1m.inference.novelty import sample_evenly, training_images
from bioscan1m.inference.selected_classifier import load_selected
from bioscan1m.networks.training_state import TrainingState
from bioscan1m.package.images import ImagePackage

FALSE_ALARMS = 0.05
Seen = tuple[np.ndarray, np.ndarray]  # embeddings (images, length) and logits (images, classes)
Measure = Callable[[Seen], np.ndarray]  # the larger, the less like the training images


def distance(training: np.ndarray) -> Measure:
    """To the nearest of these training images, standardised."""
    known = training_images(training)
    return lambda seen: known.distances(seen[0])


def angle(training: np.ndarray) -> Measure:
    """The same of embeddings of length 1 (Sun et al. 2022)."""
    known = training_images(_unit(training))
    return lambda seen: known.distances(_unit(seen[0]))


def energy(seen: Seen) -> np.ndarray:
    """Free energy of the logits (Liu et al. 2020)."""
    return -logsumexp(seen[1], axis=1)


def doubt(seen: Seen) -> np.ndarray:
    """1 less the largest softmax score (Hendrycks and Gimpel 2017)."""
    return 1 - np.exp(seen[1].max(axis=1) - logsumexp(seen[1], axis=1))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def compare(
    classifier: TrainedClassifier, package: Path, split: pd.DataFrame, others: dict[str, Seen], samples: list[int]
) -> pd.DataFrame:
    """One row for each measure and group: AUROC and the share refused, in percent."""
    roles = {role: look(classifier, package, own["image_file"].tolist()) for role, own in split.groupby("role")}
    training = roles["train"][0]
    labels = split.loc[split["role"] == "train", "label"].astype(str).reset_index(drop=True)
    measures: dict[str, Measure] = {
        "distance": distance(training),
        "angle": angle(training),
        "energy": energy,
        "largest softmax": doubt,
    }
    for size in samples:
        measures[f"distance, {size} images"] = distance(training[sample_evenly(labels, size)])
    rows = []
    for name, measure in measures.items():
        threshold = conformal_threshold(measure(roles["validation"]), 1 - FALSE_ALARMS)
        known = measure(roles["test"])
        rows.append(
            {"measure": name, "group": "test images", "auroc": np.nan, "refused": 100 * (known > threshold).mean()}
        )
        for group, seen in others.items():
            unknown = measure(seen)
            truth = np.repeat([0, 1], [len(known), len(unknown)])
            auroc = 100 * roc_auc_score(truth, np.concatenate([known, unknown]))
            refused = 100 * (unknown > threshold).mean()
            rows.append({"measure": name, "group": group, "auroc": auroc, "refused": refused})
    return pd.DataFrame(rows)


def look(classifier: TrainedClassifier, package: Path, image_files: list[str]) -> Seen:
    """Embeddings and logits of the images that can be read."""
    predictions, embeddings, _ = embed(classifier, package, image_files)
    return embeddings.vectors, predictions.logits


def train_without(classifier: TrainedClassifier, package: Path, split: pd.DataFrame, folder: Path) -> TrainedClassifier:
    """The same trial on other rows, with the normalisation of the one that was selected."""
    split.to_parquet(folder / "split.parquet")
    values, stated = classifier.recipe["trial"], {"mean": classifier.channels.mean, "std": classifier.channels.std}
    changed = {
        "backbone_settings": values["backbone_settings"] | {"normalisation": stated},
        "training": values["training"] | {"workers": 0},
    }
    state = TrainingState(folder / "unfinished", "recipe")
    trained = train(package, folder / "split.parquet", [], trial_of(values | changed), state)
    write_model(folder / "model.safetensors", trained, {})
    return load_trained(folder / "model.safetensors")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("experiment")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="CLASS")
    parser.add_argument("--others", nargs="*", default=[], metavar="NAME=PACKAGE")
    parser.add_argument("--empty", action="store_true", help="also images of the run without an insect")
    parser.add_argument("--samples", nargs="*", default=[], type=int, help="sizes of samples of the training images")
    given = parser.parse_args()
    folder, package = (
        given.run / "results/experiments" / given.experiment,
        given.run / "results/packages/cropped_256.hdf5",
    )
    split = pd.read_parquet(given.run / f"results/splits/{given.experiment}.parquet")
    boxes = pd.concat(map(read_boxes, sorted((given.run / "results/boxes").glob("*.parquet"))))
    found = boxes.loc[boxes["status"] == DETECTED, "image_file"]
    split = split[
        split["image_file"].isin(list(ImagePackage(package))) & (given.empty | split["image_file"].isin(found))
    ]
    classifier = load_selected(folder / "selection.json", sorted(folder.glob("*/model.safetensors"))).trained
    others = {}
    with tempfile.TemporaryDirectory() as work:
        if given.leave_out:
            left_out = split["label"].astype(str).isin(given.leave_out)
            held_back, split = split[left_out], split[~left_out]
            classifier = train_without(classifier, package, split, Path(work))
            others["left out: " + ", ".join(given.leave_out)] = look(
                classifier, package, held_back["image_file"].tolist()
            )
        for name, _, path in (other.partition("=") for other in given.others):
            others[name] = look(classifier, Path(path), list(ImagePackage(path)))
        table = compare(classifier, package, split, others, given.samples)
    print(table.pivot(index="group", columns="measure", values=["auroc", "refused"]).round(1).to_string())


if __name__ == "__main__":
    main()
