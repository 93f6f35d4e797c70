"""Names of classes that look like numbers, missing values or formulas stay as written, in tables, pages and figures."""

from __future__ import annotations

import csv
import html
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from bioscan1m.experiments.dominant_class import dominant_classes
from bioscan1m.experiments.figures import draw_class_accuracy, draw_confusion_matrix
from bioscan1m.experiments.predictions import Predictions, read_predictions, write_predictions
from bioscan1m.experiments.results_tables import summarise_misclassified, summarise_tests, summarise_validations
from bioscan1m.foundation.figures import literal
from bioscan1m.foundation.tables import read_parquet, write_table
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.inference.cascade import Identification
from bioscan1m.inference.coverage import class_coverage, form_test_sets, write_sets
from bioscan1m.inference.photograph_predictions import Sighting, list_photographs, tabulate_verdicts
from bioscan1m.metadata.split_settings import Splits
from bioscan1m.metadata.split_tables import build_splits
from bioscan1m.metadata.statistics import (
    class_table,
    imbalance_table,
    largest_experiments,
    leakage_table,
    read_metadata,
    split_table,
)
from bioscan1m.metadata.table import write_metadata_parquet
from bioscan1m.metadata.taxonomy import read_ranks
from bioscan1m.metadata.validation import validate_metadata
from draw_classes import draw_classes, read_class_table
from join_metadata import join_metadata
from list_classes import list_classes
from render_tables import render_tables
from summarise_dataset import draw_class_distribution

CASES = Path(__file__).parents[1] / "cases"
WORDS = ["NA", "None", "nan", "True", "null", "inf", "$a_1$", "<b>&"]
ODD = [*WORDS, "1", "001", "1e5", "100000", "1_000", "1000", "-0", "0"]
EXPERIMENTS = {"by_kind": {"label": "kind"}}
RATIOS = {"train": 0.5, "validation": 0.25, "test": 0.25}
SETTINGS = {"policy": "fresh", "seed": 1, "ratios": RATIOS, "subset": "balanced", "experiments": EXPERIMENTS}
SETTINGS |= {"closed_subsets": False, "group": None}
IMAGES_PER_CLASS = 4
names = st.sampled_from(ODD) | st.from_regex(r"[+-]?0?[0-9]{1,4}([.e][0-9]{1,2})?", fullmatch=True)
classes_of_a_run = st.lists(names, min_size=2, max_size=6, unique=True)


def make_tables(folder: Path, kinds: list[str]) -> dict[str, pd.DataFrame]:
    """The tables of the dataset for these classes, by the functions of the workflow."""
    rows = [(f"{place}_{n}.jpg", "1", kind) for place, kind in enumerate(kinds) for n in range(IMAGES_PER_CLASS)]
    source, validated, final = (folder / name for name in ("source.tsv", "validated.parquet", "final.tsv"))
    write_rows(source, ["image_file", "chunk_number", "kind"], rows)
    validate_metadata(source, ["1"], ["kind"], list(EXPERIMENTS), validated, folder / "warnings.tsv", threads=1)
    splits = Splits.from_config(SETTINGS)
    made = {name: folder / f"{name}.tsv" for name in ("counts", "shortfalls")}
    build_splits(validated, splits, [folder / "split.parquet"], folder / "roles.parquet", **made, threads=1)
    join_metadata(source, folder / "roles.parquet", ["kind"], final, threads=1)
    write_metadata_parquet(folder / "final.parquet", final)
    metadata = read_metadata(final, {"by_kind": "kind"})
    classes = class_table(metadata, {"by_kind": "kind"})
    return {"distribution": classes, "imbalance": imbalance_table(metadata, classes)}


def result_of_test(classes: list[str], confusions: np.ndarray) -> dict[str, Any]:
    """What figures and tables need of a test.json."""
    return {
        "experiment": "by_kind",
        "backbone": "b",
        "loss": "l",
        "seed": 1,
        "model": {"name": "M", "parameters": 10**6},
        "classes": classes,
        "confusion_matrix": confusions.tolist(),
        "per_class": [{"class": name, "images": 1, "accuracy": 1.0} for name in classes],
        "metrics": {"macro_top1": 0.5},
    }


def cells_of_page(table: Path) -> list[str]:
    """The texts of the cells, headings too, of a table's page in the report."""
    page = table.with_suffix(".html")
    render_tables([table], ["Table"], ["None."], [page])
    return [
        html.unescape(cell) for cell in re.findall(r"<t[dh]\b[^>]*>(.*?)</t[dh]>", page.read_text(encoding="utf-8"))
    ]


@settings(deadline=None, max_examples=6)
@given(kinds=classes_of_a_run)
def test_classes_of_the_dataset_stay_as_written(tmp_path_factory, kinds):
    folder = tmp_path_factory.mktemp("names")
    tables = make_tables(folder, kinds)
    assert set(read_parquet(folder / "split.parquet", ["label"])["label"].to_pylist()) == set(kinds)
    assert set(read_parquet(folder / "final.parquet")["kind"].to_pylist()) == set(kinds)
    listed = list_classes(folder / "split.parquet", "by_kind", "kind")
    assert [row["class"] for row in listed] == sorted(kinds)
    assert read_ranks(folder / "validated.parquet", "kind", sorted(kinds))[0].taxa == sorted(kinds)
    assert dominant_classes(folder / "counts.tsv", {"by_kind": "by_kind"})["by_kind"] in kinds
    for name, table in tables.items():
        write_table(folder / f"{name}.tsv", table)
    for name in ("counts", "distribution"):
        with (folder / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
            assert {row["class"] for row in csv.DictReader(file, delimiter="\t")} == set(kinds)
        assert set(kinds) <= set(cells_of_page(folder / f"{name}.tsv"))
    assert tables["imbalance"].set_index("classes").loc["by_kind", "largest"] in cells_of_page(folder / "imbalance.tsv")
    ticks = draw_class_distribution(tables["distribution"], {"by_kind": "kind"}).axes[0].get_yticklabels()
    assert sorted(tick.get_text() for tick in ticks) == sorted(map(literal, kinds))


@settings(deadline=None, max_examples=6)
@given(kinds=classes_of_a_run)
def test_classes_of_predictions_and_their_figures_stay_as_written(tmp_path_factory, kinds):
    folder = tmp_path_factory.mktemp("names")
    count = len(kinds)
    logits = np.roll(np.eye(count), 1, axis=1).astype(np.float32) * 9
    predictions = Predictions(kinds, [f"{place}.jpg" for place in range(count)], np.arange(count), logits)
    write_predictions(folder / "predictions.parquet", predictions)
    assert read_predictions(folder / "predictions.parquet").classes == kinds
    assert read_parquet(folder / "predictions.parquet")["truth"].to_pylist() == kinds
    sets = form_test_sets("by_kind", predictions, np.arange(count) % 2 == 0, [0.9])
    write_sets(folder / "sets.parquet", sets)
    assert {name for one in read_parquet(folder / "sets.parquet")["set_90"].to_pylist() for name in one} <= set(kinds)
    write_table(folder / "coverage.tsv", class_coverage([sets]))
    assert set(kinds) <= set(cells_of_page(folder / "coverage.tsv"))
    photographs = list_photographs(dict.fromkeys(predictions.image_files, b""), [], [])
    found = [Sighting(Identification([kind], "kind", kind, "kind", 0.9), 0.5) for kind in kinds]
    table = tabulate_verdicts(photographs, dict(zip(photographs["image_file"], found, strict=True)))
    write_table(folder / "table.tsv", table)
    with (folder / "table.tsv").open(encoding="utf-8", newline="") as file:
        assert [row["taxon"] for row in csv.DictReader(file, delimiter="\t")] == kinds
    test = result_of_test(kinds, np.roll(np.eye(count, dtype=int), 1, axis=1))
    write_table(folder / "misclassified.tsv", summarise_misclassified([test], {"by_kind": kinds[0]}))
    assert kinds[0] in cells_of_page(folder / "misclassified.tsv")
    for draw in (draw_class_accuracy, draw_confusion_matrix):
        figure = draw(test)
        shown = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
        assert all(any(text.startswith(literal(name)) for text in shown) for name in kinds)


@pytest.mark.parametrize("name", ODD)
def test_a_figure_shows_each_letter_of_a_name(name):
    figure = draw_class_accuracy(result_of_test([name, "other"], np.eye(2, dtype=int)))
    FigureCanvasAgg(figure).draw()
    ticks = figure.axes[0].get_yticklabels()
    assert [tick._preprocess_math(tick.get_text())[0] for tick in ticks if tick.get_text() != "other"] == [name]


def test_the_case_of_the_report_stays_as_written(tmp_path):
    table = tmp_path / "counts.tsv"
    table.write_bytes((CASES / "report_class_001.tsv").read_bytes())
    cells = cells_of_page(table)
    assert [cell for cell in cells if cell in ("001", "1", "1e5")] == ["001", "1", "1e5"]
    assert "100,000" not in cells


EXPERIMENTS_LIKE_NUMBERS = ["2024", "001", "1e5", "NA"]


def metadata_of(experiments: list[str]) -> pd.DataFrame:
    """Final metadata of two kinds without BINs, in which each of these experiments has every image."""
    roles = ["train", "validation", "test"] * 2
    columns = {
        "image_file": [f"{n}.jpg" for n in range(6)],
        "kind": ["a", "a", "a", "b", "b", "b"],
        "uri": "",
        "sampleid": "s",
    }
    return pd.DataFrame(columns | dict.fromkeys(experiments, roles)).astype("category")


@pytest.mark.parametrize("name", EXPERIMENTS_LIKE_NUMBERS)
def test_experiments_of_the_dataset_stay_as_written(tmp_path, name):
    labels, metadata = {name: "kind"}, metadata_of([name])
    classes = class_table(metadata, labels)
    tables = {
        "distribution": classes,
        "imbalance": imbalance_table(metadata, classes),
        "splits": split_table(classes, labels),
        "leakage": leakage_table(metadata, labels),
    }
    for table, rows in tables.items():
        write_table(tmp_path / f"{table}.tsv", rows)
        assert name in cells_of_page(tmp_path / f"{table}.tsv")
    read = read_class_table(tmp_path / "distribution.tsv")
    assert largest_experiments(read, labels) == [name]
    pq.write_table(pa.table({"image_file": ["0.jpg"], "label": ["a"]}), tmp_path / "split.parquet")
    figure = draw_classes(read, {name: tmp_path / "split.parquet"}, {})
    assert figure.subfigs[0].get_suptitle() == f"{name}: 2 classes"
    assert draw_class_distribution(read, labels).axes[0].get_title(loc="left").startswith(name)


@pytest.mark.parametrize("name", EXPERIMENTS_LIKE_NUMBERS)
def test_experiments_of_the_results_stay_as_written(tmp_path, name):
    test = result_of_test(["a", "b"], np.eye(2, dtype=int)) | {"experiment": name, "backbone": name, "loss": name}
    test |= {"images": {"test": 2, "validation": 2}, "skipped": {"test": []}, "majority": {"class": "a", "share": 0.5}}
    metrics = dict.fromkeys(("micro_top1", "macro_top1", "micro_f1", "macro_f1"), 0.5)
    test |= {"metrics": metrics, "last_epoch_metrics": metrics}
    write_rows(tmp_path / "counts.tsv", ["experiment", "class", "images"], [(name, "a", 2), (name, "b", 1)])
    tables = {
        "test": summarise_tests([test], [{"experiment": name, "differs_from_paper": None}]),
        "validation": summarise_validations([test], [test]),
        "misclassified": summarise_misclassified([test], dominant_classes(tmp_path / "counts.tsv", {name: name})),
    }
    for table, rows in tables.items():
        write_table(tmp_path / f"{table}.tsv", rows)
        assert cells_of_page(tmp_path / f"{table}.tsv").count(name) == 3, table
