"""The trial with the highest mean over its seeds is tested, with the weights of its best seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.published import FOLDER, published, published_rows
from select_trial import select_trial

EXPERIMENT = "small_insect_order"


def write_runs(
    folder: Path, accuracies: dict[tuple[str, str], list[float]], experiment: str = EXPERIMENT
) -> list[Path]:
    """A validation.json for each seed of each trial, with seeds 1, 2, …"""
    files = []
    for (backbone, loss), values in accuracies.items():
        for seed, value in enumerate(values, start=1):
            files.append(folder / f"{backbone}_{loss}_seed{seed}.json")
            run = {"experiment": experiment, "backbone": backbone, "loss": loss, "seed": seed}
            write_json(files[-1], {**run, "metrics": {"micro_top1": value, "macro_top1": 1 - value}})
    return files


def test_the_highest_mean_wins_and_its_best_seed_is_tested(tmp_path):
    runs = {("resnet50", "ce"): [0.99, 0.10, 0.50], ("vit_b_16", "ce"): [0.70, 0.80, 0.75]}
    chosen = select_trial(write_runs(tmp_path, runs), "micro_top1")
    assert chosen["selected"] == {"backbone": "vit_b_16", "loss": "ce", "seed": 2}
    assert chosen["differs_from_paper"] is None


def test_the_deviation_is_that_of_the_population(tmp_path):
    (trial,) = select_trial(write_runs(tmp_path, {("vit_b_16", "ce"): [0.2, 0.4]}), "micro_top1")["trials"]
    assert trial["mean"] == pytest.approx(0.3)
    assert trial["std"] == pytest.approx(0.1)
    assert trial["seeds"] == [1, 2]


def test_the_metric_decides(tmp_path):
    files = write_runs(tmp_path, {("resnet50", "ce"): [0.9], ("resnet50", "focal"): [0.1]})
    assert select_trial(files, "micro_top1")["selected"]["loss"] == "ce"
    assert select_trial(files, "macro_top1")["selected"]["loss"] == "focal"


def test_of_equal_trials_the_first_wins(tmp_path):
    files = write_runs(tmp_path, {("vit_b_16", "focal"): [0.5, 0.5], ("vit_b_16", "ce"): [0.5, 0.5]})
    assert select_trial(files, "micro_top1")["selected"] == {"backbone": "vit_b_16", "loss": "focal", "seed": 1}


def test_another_choice_than_the_papers_is_noted(tmp_path):
    files = write_runs(tmp_path, {("resnet50", "ce"): [0.9], ("vit_b_16", "ce"): [0.8]})
    assert "10.00 points behind" in select_trial(files, "micro_top1")["differs_from_paper"]
    files = write_runs(tmp_path, {("resnet50", "ce"): [0.9]})
    assert "not tried here" in select_trial(files, "micro_top1")["differs_from_paper"]


def test_an_experiment_of_ones_own_is_not_compared(tmp_path):
    files = write_runs(tmp_path, {("resnet50", "ce"): [0.9]}, experiment="moths_by_genus")
    assert select_trial(files, "micro_top1")["differs_from_paper"] is None


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.tsv")))
def test_the_rows_of_a_published_table_are_those_that_pandas_reads(name):
    table = published(name)
    texts = table.select_dtypes(exclude="number").fillna("")
    assert len(texts.columns) >= 1
    rows = published_rows(name)
    assert [{column: row[column] for column in texts} for row in rows] == texts.to_dict("records")
    assert [list(row) for row in rows] == [list(table)] * len(table)
