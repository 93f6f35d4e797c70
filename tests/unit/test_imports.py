"""Each job imports what its script needs and no more: with 125 jobs in the demo, a second of imports is two minutes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from statistics import median

import pytest
from packaging.version import Version

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = REPOSITORY / "workflow_scripts"

# What takes long to import, or would be a surprise.
HEAVY = {
    *("PIL", "aiohttp", "cleanlab", "fsspec", "gdown", "h5py", "huggingface_hub", "jsonschema", "matplotlib", "numpy"),
    *("pandas", "pyarrow", "pycocotools", "requests", "rocrate", "safetensors", "scipy", "sklearn", "sympy"),
    *("tensorboard", "torch", "torchvision", "transformers", "triton", "yaml"),
}
# What of it others import themselves, in one version or another.
BROUGHT_ALONG = {
    "fsspec": {"yaml"},
    "gdown": {"requests"},
    "h5py": {"numpy"},
    "matplotlib": {"PIL", "numpy"},
    "pandas": {"numpy", "pyarrow"},
    "pyarrow": {"numpy"},
    "pycocotools": {"numpy"},
    "rocrate": {"requests"},
    "torch": {"numpy", "sympy", "triton", "yaml"},
    "transformers": {"PIL", "huggingface_hub", "requests", "safetensors", "scipy", "torchvision", "yaml"},
}
# What every script may use of the standard library.
STANDARD = (
    "concurrent.futures, csv, dataclasses, hashlib, importlib.metadata, json, logging, pathlib, random, subprocess, "
    "tempfile, threading, typing, urllib.parse, uuid, zipfile"
)
ARROW, IMAGES, TABLES = ["pyarrow.parquet"], ["PIL.ImageCms", "numpy"], ["pandas", "pyarrow.parquet"]
FIGURES = [*TABLES, "matplotlib.figure"]
STATISTICS = ["scipy.optimize", "scipy.special", "scipy.stats"]
DOWNLOADS = ["requests", "gdown", "fsspec.core"]
# torch.distributed is for the processes that share a training.
CLASSIFIER = ["torch.nn.parallel", "torch.utils.data", "safetensors.torch", "h5py", *ARROW, *IMAGES]
# Of transformers one family; its base class imports torch._dynamo, scipy and torchvision, whatever the family.
FAMILY = ["transformers.models.detr.modeling_detr", "transformers.models.resnet.modeling_resnet"]
DETECTOR = ["torch", "safetensors.torch", *FAMILY, "pyarrow", *IMAGES]
# script -> the external modules that it needs; what these import themselves is theirs.
NEEDED = {
    "audit_results": TABLES,
    "build_splits": TABLES,
    "clean_annotations": IMAGES,
    "compare_packages": [*FIGURES, "scipy.stats"],
    "compute_features": CLASSIFIER,
    "crop_chunk": [*ARROW, *IMAGES],
    "describe_dataset": ARROW,
    "detect_insects": [*DETECTOR, *TABLES],
    "digest_experiment": [*ARROW, "h5py"],
    "draw_classes": [*FIGURES, "h5py"],
    "draw_crops": FIGURES,
    "draw_detector_gallery": FIGURES,
    "draw_detector_training": FIGURES,
    "draw_doubtful": [*FIGURES, "h5py"],
    "draw_experiment": [*FIGURES, "h5py", "scipy.stats"],
    "embed_images": [*CLASSIFIER, *FIGURES],
    "evaluate_detector": [*DETECTOR, "pycocotools.cocoeval", *TABLES],
    "export_crate": ["rocrate.rocrate"],
    "fetch_backbone": [],
    "fetch_chunk": DOWNLOADS,
    "fetch_detector": [*ARROW, *IMAGES],
    "fetch_file": DOWNLOADS,
    "find_duplicates": [*TABLES, "scipy.sparse.csgraph"],
    "find_label_errors": [*FIGURES, "h5py"],
    "fine_tune_detector": [*DETECTOR, "pycocotools.cocoeval"],
    "form_prediction_sets": [*FIGURES, *STATISTICS],
    "hash_images": [*ARROW, *IMAGES, "scipy.fft"],
    "import_classifier": CLASSIFIER,
    "import_detector": DETECTOR,
    "join_all_quarantine": [],
    "join_metadata": ARROW,
    "join_predictions": [],
    "join_quarantine": [],
    "list_classes": ARROW,
    "list_unusable_images": [*FIGURES, "h5py", "scipy.stats"],
    "measure_channels": [*ARROW, "h5py", *IMAGES],
    "pack_hdf5": ["h5py"],
    "pack_zip": [],
    "predict_photographs": [*CLASSIFIER, *FIGURES, *STATISTICS[:2]],
    "reconcile_images": TABLES,
    "render_tables": TABLES,
    "resize_chunk": IMAGES,
    "roll_up_predictions": TABLES,
    "seal_records": [],
    "select_trial": [],
    "show_predictions": [*ARROW, "h5py", *IMAGES],
    "summarise_boxes": FIGURES,
    "summarise_dataset": FIGURES,
    "summarise_experiments": [*TABLES, "scipy.stats"],
    "tabulate_detector": TABLES,
    "tabulate_released": [*TABLES, "scipy.stats"],
    "test_classifier": CLASSIFIER,
    "train_classifier": CLASSIFIER,
    "validate_metadata": TABLES,
    "write_jsonld": ARROW,
    "write_parquet": ARROW,
}
ROWS = {tuple(needed): [script for script in NEEDED if NEEDED[script] == needed] for needed in NEEDED.values()}
TIMED = [row for row in ROWS if FAMILY[0] not in row or "detect_insects" in ROWS[row]]  # one of those that take long
ROUNDS = 3
# Above the modules alone; and seconds for the modules of the library itself, of which a script has up to 60.
FACTOR, OWN_SECONDS = 1.3, 0.1
# Training and tests import torch; the library that their network is of comes when it is built.
FACTOR_OF_TORCH = 1.5


def names(row: tuple[str, ...]) -> str:
    """A row in the name of a test."""
    return "+".join(dict.fromkeys(module.partition(".")[0] for module in row)) or "nothing"


# Transformers takes so long to import that its rows are checked with what takes minutes.
CHECKED = [pytest.param(row, marks=[pytest.mark.slow] if FAMILY[0] in row else [], id=names(row)) for row in ROWS]


def run(code: str) -> tuple[str, float]:
    """What Python prints for this code in a fresh process, and the seconds of processor time that it takes."""
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, code
    return printed, usage.ru_utime + usage.ru_stime


def statement(modules: tuple[str, ...] | list[str]) -> str:
    """The code that imports these modules."""
    return f"import {', '.join([STANDARD, *modules])}\n"


def seconds(codes: list[str]) -> list[float]:
    """The median processor time of each piece of code; they take turns, so that a busy machine is busy for all."""
    rounds = [[run(code)[1] for code in codes] for _ in range(ROUNDS)]
    return [median(times) for times in zip(*rounds, strict=True)]


def test_the_table_has_every_script_that_a_rule_runs():
    rules = "".join(path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "rules").glob("*.smk")))
    assert sorted(NEEDED) == sorted(set(re.findall(r"workflow_scripts/(\w+)\.py", rules)))


def unwanted(row: tuple[str, ...]) -> set[str]:
    """The heavy modules that there is no reason for where these are imported."""
    own = {module.partition(".")[0] for module in row}
    return HEAVY - own.union(*(BROUGHT_ALONG.get(name, set()) for name in own))


@pytest.mark.parametrize("row", CHECKED)
def test_a_script_imports_what_its_row_names_and_nothing_else_that_is_heavy(row):
    of_detector = set(FAMILY)  # imported when the detector is built: its file names the family
    code = f"import sys\nunwanted, needed = {unwanted(row)}, {set(row) - of_detector}\n"
    for script in ROWS[row]:
        code += f"import {script}\n"
        code += f"print('{script}', unwanted.intersection(sys.modules) or '', needed.difference(sys.modules) or '')\n"
    printed, _ = run(code)
    assert [line.rstrip() for line in printed.splitlines()] == ROWS[row]


@pytest.mark.skipif(
    Version(version("transformers")) < Version("5.23"),
    reason="older versions of transformers import all their families",
)
def test_a_network_is_built_from_its_one_family():
    code = """
import sys
from bioscan1m.detector.model import load_base
from bioscan1m.experiments.classifiers import build_classifier
from bioscan1m.experiments.settings import Backbone
load_base("tests/demo/detector/model.safetensors", "tests/demo/detector/config.json")
settings = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
build_classifier(Backbone("transformers", "ViTForImageClassification", settings), 2, 32)
print(*{name.split(".")[2] for name in sys.modules if name.startswith("transformers.models.")})
"""
    printed, _ = run(f"import os; os.chdir({str(REPOSITORY)!r})\n{code}")
    assert set(printed.split()) <= {"detr", "resnet", "vit", "auto", "encoder_decoder"}


@pytest.mark.slow
@pytest.mark.parametrize("row", TIMED, ids=names)
def test_a_script_takes_hardly_longer_to_import_than_the_modules_of_its_row(row):
    script = ROWS[row][0]
    alone, ours = seconds([statement(row), f"import {script}"])
    assert ours <= FACTOR * alone + OWN_SECONDS


@pytest.mark.slow
def test_a_training_takes_hardly_longer_to_import_than_torch():
    alone, ours = seconds(["import torch", "import train_classifier"])
    assert ours <= FACTOR_OF_TORCH * alone
