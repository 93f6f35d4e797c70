"""Labels that were changed on purpose come first in the list of probable errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from toy_experiment import IMAGES, ROLES, make_package, make_trial, train_and_write

from bioscan1m.experiments.evaluation import evaluate_model
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.inference.label_errors import change_labels, find_label_errors, measure_trust


def held_out(labels: np.ndarray, chances: np.ndarray) -> dict[str, Predictions]:
    """Predictions of two roles with these probabilities; images are named by their place."""
    classes = [f"class {place}" for place in range(chances.shape[1])]
    logits = np.log(np.clip(chances, 1e-9, None)).astype(np.float32)
    names = [f"{place}.jpg" for place in range(len(labels))]
    half = len(labels) // 2
    return {
        "validation": Predictions(classes, names[:half], labels[:half], logits[:half]),
        "test": Predictions(classes, names[half:], labels[half:], logits[half:]),
    }


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Handwritten digits, 5 % wrongly labelled, also for the classifier: true labels, labels, probabilities."""
    images, truth = load_digits(return_X_y=True)
    labels = change_labels(truth, 10, round(0.05 * len(truth)), np.random.default_rng(1))
    return truth, labels, cross_val_predict(KNeighborsClassifier(10), images, labels, cv=3, method="predict_proba")


def test_most_of_the_first_images_have_wrong_labels_though_the_classifier_learnt_from_wrong_ones(digits):
    truth, labels, chances = digits
    table = find_label_errors({"digits": held_out(labels, chances)})
    places = table["image_file"].str.removesuffix(".jpg").astype(int).to_numpy()
    wrong = labels[places] != truth[places]
    changed = (labels != truth).sum()
    assert wrong[: changed // 2].mean() > 0.95
    assert wrong[:changed].mean() > 0.8
    assert wrong[(table["confident"] == "yes").to_numpy()].mean() > wrong.mean()
    suggested = table["suggested_label"].str.removeprefix("class ").astype(int).to_numpy()
    assert (suggested[wrong] == truth[places][wrong]).mean() > 0.9


def test_the_measured_trust_is_near_the_true_precision(digits):
    truth, labels, chances = digits
    measured = measure_trust({"digits": held_out(truth, chances)}, seed=1).iloc[0]
    assert measured["changed_labels"] == round(0.05 * len(truth))
    table = find_label_errors({"digits": held_out(labels, chances)})
    places = table["image_file"].str.removesuffix(".jpg").astype(int).to_numpy()
    true_precision = 100 * (labels[places] != truth[places])[: measured["changed_labels"]].mean()
    assert measured["precision_at_top"] == pytest.approx(true_precision, abs=7)
    assert measured["confident_precision"] > 75 and measured["confident_recall"] > 80


def mislabel(split: Path, seed: int) -> set[str]:
    """Change 5 % of the labels of a split, in every role; the names of these images."""
    table, classes = pq.read_table(split), sorted(IMAGES)
    labels = np.array([classes.index(name) for name in table["label"].to_pylist()])
    wrong = change_labels(labels, len(classes), round(0.05 * len(labels)), np.random.default_rng(seed))
    names = pa.array([classes[place] for place in wrong])
    pq.write_table(table.set_column(table.column_names.index("label"), "label", names), split)
    return {table["image_file"][place].as_py() for place in np.flatnonzero(wrong != labels)}


def test_labels_that_were_wrong_before_the_training_come_first_too(tmp_path):
    """The true case, harder than what the trust is measured on: the network learns from wrong labels as well."""
    more = [(f"{name} {place}.jpg", name, ROLES[place % 5]) for name in IMAGES for place in range(120)]
    toy = make_package(tmp_path, more=more)
    changed = mislabel(toy[1], seed=1)
    train_and_write(toy, make_trial(), tmp_path)
    seen = evaluate_model(*toy, tmp_path / "model.safetensors").predictions
    to_find = changed & {name for predictions in seen.values() for name in predictions.image_files}
    assert len(to_find) >= 5
    listed = find_label_errors({"toy": seen})["image_file"]
    assert listed.head(len(to_find)).isin(changed).mean() > 0.8


def test_rows_say_what_the_image_is_labelled_and_what_it_looks_like():
    labels = np.repeat([0, 1, 2], 20)
    chances = np.full((60, 4), 0.02)
    chances[np.arange(60), labels] = 0.94
    chances[25] = [0.94, 0.02, 0.02, 0.02]
    table = find_label_errors({"orders": held_out(labels, chances)})
    assert table.round(4).to_dict("records") == [
        {
            "experiment": "orders",
            "image_file": "25.jpg",
            "role": "validation",
            "label": "class 1",
            "label_probability": 2.0,
            "suggested_label": "class 0",
            "suggested_probability": 94.0,
            "confident": "yes",
        }
    ]


def test_images_of_one_class_say_nothing():
    chances = np.full((4, 2), 0.5)
    assert find_label_errors({"orders": held_out(np.zeros(4, int), chances)}).empty
    assert measure_trust({"orders": held_out(np.zeros(4, int), chances)}, seed=1)["changed_labels"].tolist() == [1]


def test_changed_labels_are_so_many_and_all_wrong():
    labels = np.arange(100) % 7
    wrong = change_labels(labels, 7, 13, np.random.default_rng(2))
    assert (wrong != labels).sum() == 13
    assert set(wrong) == set(range(7))
