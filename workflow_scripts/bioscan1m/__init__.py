"""The library that the workflow's scripts share. It knows nothing of Snakemake: paths and values in, files out.

The names of `__all__` are for use from elsewhere, to read what a run has made (docs/reading.md).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# The names for others, each with the module that defines it: PyTorch is imported only where it is needed.
_DEFINED_IN = {
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
}
__all__ = list(_DEFINED_IN)


def __getattr__(name: str) -> Any:
    """One of the names above, from its module."""
    if name not in _DEFINED_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_DEFINED_IN[name]}"), name)
