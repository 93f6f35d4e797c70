"""docs/differences.md: every row names a test that exists or says why it has none, and keys that the config has."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from bioscan1m.plan.configuration import validate_config

REPOSITORY = Path(__file__).parents[2]
SCHEMA = REPOSITORY / "rules/schemas/config.schema.yaml"
PAGE = (REPOSITORY / "docs/differences.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and line.count("|") > 5 and not line.startswith("| paper | ")
]
FRAGMENTS = sorted((REPOSITORY / "config").glob("*.yaml"))
# Table 4, A7.1, 4.1 and 4.2 of the paper, as the config names them.
PAPER = {
    "classifier.training.optimizer": "sgd",
    "classifier.training.weight_decay": 1e-4,
    "classifier.training.learning_rate": 1e-3,
    "classifier.training.momentum": 0.9,
    "classifier.evaluation.top_k": [1, 3, 5, 10],
    "classifier.training.batch_size": 32,
    "classifier.training.epochs": 100,
    "classifier.training.workers": 4,
    "classifier.training.short_side": 256,
    "classifier.training.crop": 224,
    "detector.fine_tuning.base": "facebook/detr-resnet-50",
    "detector.fine_tuning.learning_rate": 1e-4,
    "detector.fine_tuning.weight_decay": 1e-4,
    "detector.fine_tuning.batch_size": 8,
    "detector.fine_tuning.epochs": 10,
    "detector.fine_tuning.flip": False,
    "detector.fine_tuning.scales": [1.0],
    "detector.image_size.shortest_side": 800,
    "detector.image_size.longest_side": 1333,
    "detector.detection.score_threshold": 0.5,
    "crop.ratio": 1.4,
    "crop.pad_value": 255,
    "packages.chunks_per_group": 20,
    "splits.ratios": {"train": 0.7, "validation": 0.1, "test": 0.2},
    "splits.experiments.large_diptera_family.largest_classes": 40,
    "splits.experiments.medium_insect_order.images": 200_000,
    "splits.experiments.small_insect_order.images": 50_000,
}


def config_with(fragment: Path | None = None) -> dict:
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    if fragment is not None:
        update_config(config, yaml.safe_load(fragment.read_text(encoding="utf-8")))
    return config


@pytest.mark.parametrize("key", PAPER)
def test_the_config_has_the_numbers_of_the_paper(key: str) -> None:
    assert reduce(lambda section, name: section[name], key.split("."), config_with()) == PAPER[key]


def test_every_row_names_a_test_that_exists_or_says_why_it_has_none() -> None:
    files = (REPOSITORY / "tests").rglob("test_*.py")
    defined = {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)}
    assert len(ROWS) > 50 and {len(row) for row in ROWS} == {6}
    for row in ROWS:
        named = re.findall(r"`(test_\w+)`", row[-1])
        assert named or re.match(r"none: \w", row[-1]), f"neither a test nor a reason: {row[0]}"
        assert set(named) <= defined, f"{row[0]}: no test {set(named) - defined}"


def test_every_key_that_is_named_is_one_of_the_config() -> None:
    table = (REPOSITORY / "docs/configuration.md").read_text(encoding="utf-8")
    keys = set(re.findall(r"^\| `([\w.]+)`", table, re.MULTILINE))
    named = {key for row in ROWS for key in re.findall(r"`([\w.]+)`", row[3])}
    assert len(named) > 30
    assert named - keys == set()


def test_every_table_and_figure_of_the_paper_has_a_row() -> None:
    there = {name for row in ROWS for name in re.findall(r"\b(Table|Figure) (A?\d+)\b", row[0])}
    tables = {("Table", name) for name in ("1", "2", "3", "4", "5", *(f"A{place}" for place in range(1, 7)))}
    figures = {("Figure", name) for name in ("1", "2", "3", "4", "5", *(f"A{place}" for place in range(1, 12)))}
    assert there == tables | figures


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.stem)
def test_a_fragment_is_named_on_the_page_and_changes_what_it_names(fragment: Path) -> None:
    assert f"`--configfile config/{fragment.name}`" in PAGE
    config = config_with(fragment)
    validate_config(config, SCHEMA)
    assert config != config_with()
