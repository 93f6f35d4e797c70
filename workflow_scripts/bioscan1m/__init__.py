"""The library that the workflow's scripts share. It knows nothing of Snakemake: paths and values in, files out.

The names of `__all__` are for use from elsewhere, to read what a run has made (docs/reading.md).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = [
    "ImagePackage",
    "InputError",
    "Predictions",
    "TrainedClassifier",
    "load_detector",
    "load_trained",
    "read_boxes",
    "read_predictions",
    "read_record",
    "read_tsv",
    "read_weights",
]


def __getattr__(name: str) -> Any:
    """One of the names above, from its module: PyTorch is imported only where it is needed."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = {
        "ImagePackage": "package.images",
        "InputError": "foundation.errors",
        "Predictions": "experiments.predictions",
        "TrainedClassifier": "experiments.trained_classifier",
        "load_detector": "detector.model",
        "load_trained": "experiments.trained_classifier",
        "read_boxes": "boxes.table",
        "read_predictions": "experiments.predictions",
        "read_record": "jobs.records",
        "read_tsv": "metadata.table",
        "read_weights": "networks.weights",
    }[name]
    return getattr(import_module(f"{__name__}.{module}"), name)
