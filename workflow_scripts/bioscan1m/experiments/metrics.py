"""Metrics of classifiers, from logits and true classes alone, on the scale 0 to 1.

Micro metrics count every image the same. Macro metrics are means over classes, so that the rare ones count as much as
the frequent ones: accuracies over the classes that occur in the truth, F1 over those that occur in the truth or among
the predictions, as in scikit-learn. A class's rank is the number of classes with a higher logit; of equal logits the
class that comes first in the list of classes wins.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

CALIBRATION_BINS = 15  # Guo et al. 2017


def classification_metrics(truth: np.ndarray, logits: np.ndarray, top_k: Iterable[int] = ()) -> dict[str, float]:
    """Compute accuracies and F1 scores, micro and macro, and the calibration error.

    Args:
        truth: (N,) class indices; N is at least 1.
        logits: (N, classes) finite floats.
        top_k: the k of the accuracies; 1 is always among them.

    Returns:
        Metrics by name, from 0 to 1.
    """
    ks = sorted({1, *top_k})
    matrix = confusion_matrix(truth, logits)
    micro = {f"micro_top{k}": top_k_accuracy(truth, logits, k) for k in ks}
    macro = {f"macro_top{k}": macro_top_k_accuracy(truth, logits, k) for k in ks}
    f1 = {"micro_f1": micro_f1(matrix), "macro_f1": macro_f1(matrix)}
    return {**micro, **macro, **f1, "calibration_error": expected_calibration_error(truth, logits)}


def most_frequent_class(labels: np.ndarray) -> int:
    """The index of the most frequent class, the first of those that are equally frequent."""
    return int(np.bincount(labels).argmax())


def ranks(truth: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Rank (N,) of the true class among the logits; 0 where it is the prediction."""
    own = np.take_along_axis(logits, truth[:, None], axis=1)
    earlier = np.arange(logits.shape[1]) < truth[:, None]
    return ((logits > own) | ((logits == own) & earlier)).sum(axis=1)


def top_k_accuracy(truth: np.ndarray, logits: np.ndarray, k: int) -> float:
    """The share of images whose true class is among the k best; 1 where there are no more than k classes."""
    return float((ranks(truth, logits) < k).mean())


def macro_top_k_accuracy(truth: np.ndarray, logits: np.ndarray, k: int) -> float:
    """The mean over the classes in the truth of their top-k accuracies."""
    hits = np.bincount(truth, weights=ranks(truth, logits) < k)
    images = np.bincount(truth)
    return float((hits[images > 0] / images[images > 0]).mean())


def confusion_matrix(truth: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Counts (classes, classes) of images by true class (rows) and predicted class (columns)."""
    classes = logits.shape[1]
    pairs = truth * classes + logits.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def micro_f1(matrix: np.ndarray) -> float:
    """F1 over all images together; with one label per image it equals the micro top-1 accuracy."""
    return float(np.trace(matrix) / matrix.sum())


def macro_f1(matrix: np.ndarray) -> float:
    """The mean over the classes of 2 * true positives / (images of the class + predictions of it), where it has any."""
    either = matrix.sum(axis=0) + matrix.sum(axis=1)
    return float((2 * np.diag(matrix)[either > 0] / either[either > 0]).mean())


def class_accuracy(matrix: np.ndarray) -> list[float | None]:
    """Top-1 accuracy of each class, None for a class without images."""
    return [float(row[place] / row.sum()) if row.sum() else None for place, row in enumerate(matrix)]


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax of each row, as float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def expected_calibration_error(truth: np.ndarray, logits: np.ndarray) -> float:
    """The mean over all images of the gap between confidence and accuracy in an image's bin (Guo et al. 2017)."""
    bins = reliability_curve(truth, logits)
    return sum(row["images"] * abs(row["accuracy"] - row["confidence"]) for row in bins) / len(truth)


def reliability_curve(truth: np.ndarray, logits: np.ndarray) -> list[dict[str, float]]:
    """Per bin of confidence that has images: number of images, mean confidence and accuracy of the prediction.

    The bins are equally wide, and each holds its upper edge (Guo et al. 2017).
    """
    confidence = probabilities(logits).max(axis=1)
    correct = logits.argmax(axis=1) == truth
    bins = np.searchsorted(np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1], confidence)
    return [
        {
            "images": int((bins == place).sum()),
            "confidence": float(confidence[bins == place].mean()),
            "accuracy": float(correct[bins == place].mean()),
        }
        for place in np.unique(bins)
    ]
