"""A suite of the benchmarks at the smallest sizes: `python -m small_benchmarks SUITE`, as JSON.

It runs in a process of its own, for suites change the working directory, the log and the number of threads.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmark.harness import meaning

PHOTOGRAPHS = {"SIZE": (288, 216)}
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "fetch": {"fetch": {"FILE_MEBIBYTES": 2}},
    "detector": {
        "photographs": PHOTOGRAPHS,
        "detector": PHOTOGRAPHS
        | {
            "FULL": {"shortest_side": 96, "longest_side": 128},
            "FAST": {"shortest_side": 48, "longest_side": 64},
            "INSECT": (50, 50, 120, 120),
            "IMAGES": 4,
            "NAIVE_IMAGES": 4,
            "CROPPED_IMAGES": 4,
        },
    },
    "packages": {"photographs": PHOTOGRAPHS, "packages": {"RESIZED_IMAGES": 3, "PACKED_IMAGES": 20}},
    "metadata": {},
    "training": {
        "photographs": PHOTOGRAPHS,
        "training": {
            "TRAINING": {"batch_size": 4, "crop": 32, "short_side": 40},
            "BATCH": 4,
            "CROP": 32,
            "DECODED_IMAGES": 16,
            "SEEN_IMAGES": 8,
            "NAIVELY_SEEN_IMAGES": 8,
            "WARM_UP_IMAGES": 4,
        },
    },
    "provenance": {
        "photographs": PHOTOGRAPHS,
        "full_size_run": {"CHUNKS": 3, "IMAGES_PER_CHUNK": 20, "IMAGES": 60, "TESTED": 10},
        "provenance": {
            "RESIZED_IMAGES": 3,
            "IMAGES": 60,
            "IMAGES_PER_CHUNK": 20,
            "HASHED_FILES": 2,
            "HASHED_BYTES": 2**20,
        },
    },
    "workflow": {"workflow": {"CHUNKS": (2,)}},
}
SHARES = {"metadata": 0.01}  # its classes have the published numbers of images, so that only a share of it is small


def make_small(name: str) -> ModuleType:
    """The suite with the sizes in place of its own; settings that others hold too are changed where they are."""
    for place, sizes in SIZES[name].items():
        module = importlib.import_module(f"benchmark.{place}")
        for constant, size in sizes.items():
            if isinstance(size, dict):
                getattr(module, constant).update(size)
            else:
                setattr(module, constant, size)
    return importlib.import_module(f"benchmark.{name}")


def main(name: str) -> None:
    """Do the work of each variant once; print what each does and how much it counted, and what is said further."""
    suite, done = make_small(name), {}
    with tempfile.TemporaryDirectory() as folder:
        suite.prepare(Path(folder), **({"share": SHARES[name]} if name in SHARES else {}))
        for stage in suite.stages():
            variants = stage.variants.items()
            done[stage.name] = {variant: [meaning(prepare), prepare(Path(folder))()] for variant, prepare in variants}
        further = suite.further(Path(folder))
    print(json.dumps({"stages": done, "further": further}))


if __name__ == "__main__":
    main(sys.argv[1])
