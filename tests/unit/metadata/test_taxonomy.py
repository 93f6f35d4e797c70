"""Probabilities add up along the taxonomy, and a prediction is given as deep as it is safe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.experiments.predictions import Predictions
from bioscan1m.inference.rank_accuracy import RankedTest, rank_accuracy, write_ranked
from bioscan1m.metadata.taxonomy import Rank, deepest_safe, read_ranks

FAMILIES = ["Apidae", "Culicidae", "Sciaridae", "Vespidae"]
ORDER = Rank("order", ["Diptera", "Hymenoptera"], np.array([1, 0, 0, 1]))
FAMILY = Rank("family", FAMILIES, np.arange(4))


def write_metadata(path: Path, rows: list[tuple[str, ...]]) -> Path:
    """The columns phylum to family, written as the validated metadata are."""
    columns = zip(("phylum", "class", "order", "family"), zip(*rows, strict=True), strict=True)
    pq.write_table(pa.table({name: list(values) for name, values in columns}), path)
    return path


@pytest.fixture
def metadata(tmp_path: Path) -> Path:
    """Families of two orders; one row has a wrong order, one an unknown one."""
    rows = [("Arthropoda", "Insecta", order, family) for order, family in (
        ("Hymenoptera", "Apidae"), ("Diptera", "Culicidae"), ("Diptera", "Culicidae"), ("Hymenoptera", "Culicidae"),
        ("Diptera", "Sciaridae"), ("not_classified", "Sciaridae"), ("Hymenoptera", "Vespidae"), ("Coleoptera", "Other"),
    )]  # fmt: skip
    return write_metadata(tmp_path / "validated.parquet", rows)


def test_ranks_come_from_the_metadata_the_coarsest_first(metadata):
    ranks = read_ranks(metadata, "family", FAMILIES)
    assert [rank.name for rank in ranks] == ["phylum", "class", "order", "family"]
    assert ranks[2].taxa == ["Diptera", "Hymenoptera"]
    assert ranks[2].of_class.tolist() == [1, 0, 0, 1]
    assert [len(rank.taxa) for rank in ranks] == [1, 1, 2, 4]


def test_a_rank_that_is_unknown_for_a_class_and_a_label_that_is_no_rank_are_left_out(tmp_path):
    rows = [("Arthropoda", "Insecta", "Diptera", "x"), ("Arthropoda", "Insecta", "not_classified", "y")]
    metadata = write_metadata(tmp_path / "validated.parquet", rows)
    assert [rank.name for rank in read_ranks(metadata, "family", ["x", "y"])] == ["phylum", "class", "family"]
    assert [rank.name for rank in read_ranks(metadata, "sex", ["female", "male"])] == ["sex"]


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 40))
def test_coarser_ranks_are_surer_and_all_probabilities_sum_to_one(seed, classes, images):
    random = np.random.default_rng(seed)
    chances = random.dirichlet(np.full(classes, 0.5), size=images)
    rank = Rank("order", ["a", "b", "c"], random.integers(3, size=classes))
    rolled = rank.roll_up(chances)
    assert np.allclose(rolled.sum(axis=1), 1)
    assert (rolled.max(axis=1) >= chances.max(axis=1) - 1e-12).all()


def test_a_prediction_is_given_at_the_finest_rank_that_is_sure_enough():
    chances = np.array([[0.02, 0.95, 0.02, 0.01], [0.02, 0.5, 0.46, 0.02], [0.3, 0.3, 0.2, 0.2]])
    safe = deepest_safe(chances, [ORDER, FAMILY], 0.9)
    assert safe.rank == ["family", "order", None]
    assert safe.taxon == ["Culicidae", "Diptera", None]
    assert safe.probability[:2] == pytest.approx([0.95, 0.96])


@pytest.fixture
def tested() -> RankedTest:
    """Four images that are, in turn, surely a family, surely an order, unsure, and of another family than predicted."""
    chances = [[0.02, 0.95, 0.02, 0.01], [0.02, 0.5, 0.46, 0.02], [0.4, 0.2, 0.1, 0.3], [0.1, 0.3, 0.59, 0.01]]
    images = [f"{place}.jpg" for place in range(4)]
    test = Predictions(FAMILIES, images, np.array([1, 1, 0, 1]), np.log(chances).astype(np.float32))
    return RankedTest("families", test, [ORDER, FAMILY])


def test_the_table_has_the_accuracy_of_each_rank_and_where_predictions_are_safe(tested):
    table = rank_accuracy([tested], [0.85]).set_index("rank")
    assert table["taxa"].tolist()[:2] == [2, 4]
    assert table["accuracy"].tolist()[:2] == [100, 75]
    assert table["deepest_safe"].to_dict() == {"order": 50, "family": 25, "none": 25}
    assert table.loc[["order", "family"], "accuracy_there"].tolist() == [100, 100]


def test_each_image_has_its_taxon_at_every_rank_and_the_deepest_safe_one(tested, tmp_path):
    write_ranked(tmp_path / "ranks.parquet", tested, [0.85])
    table = pq.read_table(tmp_path / "ranks.parquet").to_pydict()
    assert table["order"] == ["Diptera", "Diptera", "Hymenoptera", "Diptera"]
    assert table["family"] == ["Culicidae", "Culicidae", "Apidae", "Sciaridae"]
    assert table["rank_85"] == ["family", "order", None, "order"]
    assert table["taxon_85"] == ["Culicidae", "Diptera", None, "Diptera"]
    assert table["order_probability"] == pytest.approx([0.97, 0.96, 0.7, 0.89])
