"""The tables of prediction sets count what the sets hold, and name the classes that share a threshold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.tables import write_table
from bioscan1m.inference.coverage import ExperimentSets, class_coverage, form_test_sets, summarise_coverage, write_sets
from bioscan1m.inference.coverage_figure import draw_coverage

CLASSES = ["Coleoptera", "Diptera", "Odonata"]


def predictions(images: list[int], skill: float, seed: int) -> Predictions:
    """So many images of each class, and logits that are right the more often the higher the skill."""
    truth = np.repeat(np.arange(3), images)
    logits = np.random.default_rng(seed).normal(size=(len(truth), 3)) + skill * np.eye(3)[truth]
    return Predictions(CLASSES, [f"{place}.jpg" for place in range(len(truth))], truth, logits.astype(np.float32))


@pytest.fixture
def sets() -> ExperimentSets:
    """Odonata have too few test images for a level of 0.95, and Coleoptera in either half."""
    test = predictions([50, 90, 12], 3, 2)
    return form_test_sets("orders", test, np.arange(152) % 2 == 0, [0.8, 0.95])


def test_every_class_has_a_row_per_level(sets):
    table = class_coverage([sets])
    assert table["class"].tolist() == CLASSES * 2
    assert table["level"].tolist() == [80.0] * 3 + [95.0] * 3
    assert table["test_images"].tolist() == [50, 90, 12] * 2
    assert table["shared_threshold"].tolist() == ["no"] * 3 + ["yes", "no", "yes"]
    assert (table["coverage_low"] <= table["coverage"]).all() and (table["coverage"] <= table["coverage_high"]).all()
    few, many = (table.loc[table["class"] == name] for name in ("Odonata", "Diptera"))
    assert (few["coverage_high"] - few["coverage_low"]).min() > (many["coverage_high"] - many["coverage_low"]).max()


def test_no_image_has_part_in_the_threshold_of_its_set():
    """Other labels of one half change the sets of the other half alone."""
    test = predictions([40, 40, 40], 4, 2)
    second = np.arange(120) % 2 == 0
    (before,) = form_test_sets("orders", test, second, [0.9]).levels
    test.truth[second] = np.roll(test.truth[second], 20)
    (after,) = form_test_sets("orders", test, second, [0.9]).levels
    assert (after.members[second] == before.members[second]).all()
    assert after.members[~second].sum() > before.members[~second].sum()


def test_the_summary_agrees_with_the_classes_and_with_the_written_sets(sets, tmp_path):
    by_class = class_coverage([sets])
    summary = summarise_coverage([sets], by_class).set_index("level")
    write_sets(tmp_path / "sets.parquet", sets)
    written = pq.read_table(tmp_path / "sets.parquet").to_pandas()
    for level, column in ((80.0, "set_80"), (95.0, "set_95")):
        row, own = summary.loc[level], by_class[by_class["level"] == level]
        covered = [truth in chosen for truth, chosen in zip(written["truth"], written[column], strict=True)]
        assert row["coverage"] == pytest.approx(100 * np.mean(covered))
        assert row["mean_set_size"] == pytest.approx(written[column].map(len).mean())
        assert row["lowest_class_coverage"] == own["coverage"].min()
        assert row["coverage"] == pytest.approx(np.average(own["coverage"], weights=own["test_images"]))
    assert summary["promised_together"].to_dict() == {80.0: "", 95.0: "Coleoptera, Odonata"}


def test_the_most_probable_class_of_a_set_comes_first(sets, tmp_path):
    write_sets(tmp_path / "sets.parquet", sets)
    written = pq.read_table(tmp_path / "sets.parquet").to_pandas()
    best = np.array(CLASSES)[sets.test.predicted]
    assert all(chosen[0] == name for chosen, name in zip(written["set_95"], best, strict=True) if name in chosen)


def test_a_run_without_experiments_has_empty_tables_and_a_figure(tmp_path):
    by_class = class_coverage([])
    write_table(tmp_path / "summary.tsv", summarise_coverage([], by_class))
    assert pd.read_csv(tmp_path / "summary.tsv", sep="\t").empty
    save_figure(draw_coverage([], by_class), tmp_path / "figure.png")


def test_the_figure_has_two_panels_per_experiment(sets):
    figure = draw_coverage([sets, sets], class_coverage([sets]))
    assert len(figure.axes) == 4
    assert [text.get_text() for text in figure.legends[0].texts] == ["level 80 %", "level 95 %"]
