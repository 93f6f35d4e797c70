"""The first page of the report is about what ran; every table has a caption, and words for where it has no rows."""

from __future__ import annotations

import copy
import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
import yaml
from docutils.core import publish_string

from bioscan1m.plan.configuration import validate_config
from bioscan1m.plan.run import Plan

REPOSITORY = Path(__file__).parents[2]
CAPTIONS = REPOSITORY / "rules/captions"
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
# As Snakemake's report makes it.
TEMPLATES = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
STRICT = {"report_level": 2, "halt_level": 2}


def first_page(config: dict[str, Any], *parts: str, shown: tuple[str, ...] = ()) -> str:
    """The text for a report of these parts that shows these files, which reads as reStructuredText."""
    text = TEMPLATES.from_string((CAPTIONS / "workflow.rst").read_text(encoding="utf-8")).render(
        snakemake=SimpleNamespace(config=config),
        categories=[SimpleNamespace(name=part) for part in parts],
        files=[SimpleNamespace(path=path) for path in shown],
    )
    publish_string(text, writer="null", settings_overrides=STRICT)
    return " ".join(text.split())


def changed(**values: Any) -> dict[str, Any]:
    """The full config with other values of its sections."""
    config = copy.deepcopy(CONFIG)
    for section, value in values.items():
        config[section] = config[section] | value if isinstance(value, dict) else value
    return config


def test_a_full_run_is_described_in_full() -> None:
    text = first_page(CONFIG, "2 Crops", "4 Experiments", shown=("label_errors.png", "audit.html"))
    assert "cut out the insect" in text and "label errors" in text and "The audit" in text
    assert "``resnet50`` is" in text and "``vit_b_16`` is" in text and "**Beside the paper.**" in text


def test_photographs_that_were_not_cropped_are_said_to_be_whole() -> None:
    config = changed(classifier={"package": "original_256"}, paper_figures=False)
    text = first_page(config, "3 Dataset", "4 Experiments")
    assert "The photographs were not cropped" in text and "cut out" not in text
    assert "**Not beside the paper.**" in text and "audit" not in text.lower()


def test_only_networks_that_were_trained_are_named() -> None:
    trials = {"small_insect_order": ["vit_b_16_focal"]}
    text = first_page(changed(classifier={"trials": trials}), "4 Experiments")
    assert "``vit_b_16`` is" in text and "``resnet50`` is" not in text


@pytest.mark.parametrize("trials", [{}, CONFIG["classifier"]["trials"]])
def test_a_report_without_experiments_names_no_network(trials: dict[str, list[str]]) -> None:
    """Neither where none is planned nor where the target does not reach it."""
    text = first_page(changed(classifier={"trials": trials}), "2 Crops")
    assert "No classifier was trained" in text and "networks of this run" not in text


def test_a_start_from_crops_is_said() -> None:
    assert "started from crops" in first_page(changed(entry={"from": "cropped_256"}), "4 Experiments")


def test_every_table_has_a_caption_words_for_no_rows_and_a_condition() -> None:
    conditions = {"always", *Plan(CONFIG, {"1": {"source": "a.zip", "checksum": None}}).made_of}
    with (REPOSITORY / "rules/report_tables.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) > 20
    for row in rows:
        assert (CAPTIONS / f"{row['caption']}.rst").exists() and row["empty"].endswith("."), row
        assert row["made"] in conditions, row


@pytest.mark.parametrize("is_shown", [True, False])
def test_captions_are_whole_with_and_without_the_paper(is_shown: bool) -> None:
    config = changed(paper_figures=is_shown)
    wildcards = SimpleNamespace(experiment="e", detector="d", image_set="s")
    for path in sorted(CAPTIONS.glob("*.rst")):
        if path.stem != "workflow":
            snakemake = SimpleNamespace(config=config, wildcards=wildcards)
            text = TEMPLATES.from_string(path.read_text(encoding="utf-8")).render(snakemake=snakemake)
            publish_string(text, writer="null", settings_overrides=STRICT)
            assert text.strip() and (is_shown or "*published*" not in text), path.name


def test_a_config_without_the_key_for_the_paper_is_as_before() -> None:
    config = copy.deepcopy(CONFIG)
    del config["paper_figures"]
    validate_config(config, REPOSITORY / "rules/schemas/config.schema.yaml")
    assert "**Beside the paper.**" in first_page(config, "4 Experiments")
