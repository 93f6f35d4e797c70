"""The dominant class is that of the dataset, not of a balanced subset of it."""

from __future__ import annotations

from bioscan1m.experiments.dominant_class import dominant_classes
from bioscan1m.foundation.published import published
from bioscan1m.foundation.tsv import write_rows

COLUMNS = ("experiment", "class", "role", "images")


def test_of_the_published_counts_it_is_diptera_though_six_orders_tie_in_the_small_experiment(tmp_path):
    counts = published("class_counts")
    orders = counts[counts["group_level"] == "order"]
    rows = [("large_insect_order", row["class"], "train", row["images"]) for _, row in orders.iterrows()]
    rows += [("small_insect_order", name, "test", 1460) for name in ("Coleoptera", "Diptera", "Hemiptera")]
    write_rows(tmp_path / "counts.tsv", COLUMNS, rows)
    tasks = {"small_insect_order": "large_insect_order", "large_insect_order": "large_insect_order"}
    assert dominant_classes(tmp_path / "counts.tsv", tasks) == dict.fromkeys(tasks, "Diptera")


def test_a_class_that_the_experiment_does_not_have_is_none_of_it(tmp_path):
    rows = [("all", "a", "train", 9), ("all", "b", "train", 5), ("all", "c", "test", 5), ("some", "a", "train", 0)]
    rows += [("some", "c", "train", 1), ("some", "b", "test", 1)]
    write_rows(tmp_path / "counts.tsv", COLUMNS, rows)
    assert dominant_classes(tmp_path / "counts.tsv", {"some": "all"}) == {"some": "b"}
