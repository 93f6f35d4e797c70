"""Whatever classifiers and taxonomy are: the name is in the set, the set in the taxon, the chain only goes deeper."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.inference.cascade import Identification, Stage, chain_of, level_of_each, name_set
from bioscan1m.inference.conformal import Thresholds, class_thresholds
from bioscan1m.metadata.taxonomy import Rank

DEPTHS = ("order", "family", "genus", "species")


def ranks_of(taxonomy: list[tuple[str, ...]], depth: int) -> list[Rank]:
    """The ranks of the taxa at a depth of a taxonomy, whose rows name a taxon for each of DEPTHS."""
    classes = sorted({row[: depth + 1] for row in taxonomy})
    ranks = []
    for place, name in enumerate(DEPTHS[: depth + 1]):
        taxa = sorted({row[place] for row in classes})
        ranks.append(Rank(name, taxa, np.array([taxa.index(row[place]) for row in classes])))
    own = [row[-1] for row in classes]
    return [*ranks[:-1], Rank(DEPTHS[depth], own, np.arange(len(own)))]


def grown(random: np.random.Generator) -> list[tuple[str, ...]]:
    """A taxonomy in which each taxon has one to three below it."""
    rows: list[tuple[str, ...]] = [()]
    for depth in DEPTHS:
        rows = [
            (*row, f"{row[-1] if row else ''}{depth[0].upper()}{place}")
            for row in rows
            for place in range(random.integers(1, 4))
        ]
    return rows


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Stage], np.random.Generator]:
    """A classifier of orders, and finer ones of all taxa of their rank, or of those of one order alone."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    taxonomy = grown(random)
    stages = [Stage("orders", ranks_of(taxonomy, 0))]
    for depth in draw(st.lists(st.integers(1, 3), max_size=3, unique=True)):
        within = draw(st.sampled_from([None, *sorted({row[0] for row in taxonomy})]))
        rows = [row for row in taxonomy if within in (None, row[0])]
        stages.append(Stage(f"{DEPTHS[depth]} of {within}", ranks_of(rows, depth)))
    return chain_of(draw(st.permutations(stages))), random


def random_answer(stage: Stage, random: np.random.Generator) -> tuple[np.ndarray, Thresholds]:
    """Any probabilities and thresholds."""
    classes = len(stage.rank.taxa)
    chances = probabilities(random.normal(size=(1, classes)) * random.choice([0.1, 3, 300]))[0]
    worst_fit = random.choice([-1.0, 0.2, 0.6, 0.95, 1.0, np.inf], size=classes)
    return chances, Thresholds(worst_fit, np.full(classes, False))


def leaves(stages: list[Stage], rank: str, taxon: str) -> set[tuple[str, str]]:
    """The classes of any rank that a taxon has, by rank and name."""
    below = set()
    for stage in stages:
        for one in stage.ranks:
            if one.name == rank and taxon in one.taxa:
                inside = one.of_class == one.taxa.index(taxon)
                below |= {(stage.rank.name, name) for name, own in zip(stage.rank.taxa, inside, strict=True) if own}
    return below


@given(chains())
def test_the_name_is_in_the_set_the_set_in_the_taxon_and_the_chain_goes_deeper(case):
    stages, random = case
    found: Identification | None = None
    for stage in stages:
        if stage.classes_asked(found) is None:
            continue
        chances, thresholds = random_answer(stage, random)
        before, found = found, name_set(stage, chances, thresholds, found)
        assert found.members and len(set(found.members)) == len(found.members)
        if len(found.members) == 1:
            assert (found.rank, found.taxon) == (stage.rank.name, found.members[0])
        else:
            assert found.taxon not in found.members
        if found.taxon != "insect":
            inside = leaves(stages, found.rank, found.taxon)
            assert {(stage.rank.name, name) for name in found.members} <= inside
            assert 0 <= found.probability <= 1
        else:
            assert found.rank == "class" and found.probability is None and before is None
        if before is not None:
            asked_for = leaves([stage], before.rank, before.taxon)
            assert {(stage.rank.name, name) for name in found.members} <= asked_for
            assert found.probability <= before.probability + 1e-9
            possible = stage.classes_asked(before)
            best = stage.rank.taxa[int(np.where(possible, chances, -1).argmax())]
        else:
            best = stage.rank.taxa[int(chances.argmax())]
        assert best in found.members


@given(chains())
def test_the_taxon_is_the_deepest_that_has_the_whole_set(case):
    stages, random = case
    stage = stages[-1]
    found = name_set(stage, *random_answer(stage, random))
    places = [stage.rank.taxa.index(name) for name in found.members]
    common = [rank for rank in stage.ranks if len(set(rank.of_class[places])) == 1]
    if common:
        assert (found.rank, found.taxon) == (common[-1].name, common[-1].taxa[common[-1].of_class[places[0]]])
    else:
        assert found.taxon == "insect"


ORDERS = Stage("orders", [Rank("order", ["Coleoptera", "Diptera"], np.arange(2))])
FAMILIES = Stage(
    "families", [Rank("order", ["Diptera"], np.zeros(2, int)), Rank("family", ["Phoridae", "Sciaridae"], np.arange(2))]
)
EVERY_CLASS = Thresholds(np.full(2, np.inf), np.full(2, True))
ALONE = Thresholds(np.full(2, 0.5), np.full(2, False))


def test_a_family_is_named_only_where_the_set_of_orders_is_its_order_alone():
    beetle = name_set(ORDERS, np.array([0.9, 0.1]), ALONE)
    fly = name_set(ORDERS, np.array([0.1, 0.9]), ALONE)
    unsure = name_set(ORDERS, np.array([0.1, 0.9]), EVERY_CLASS)
    assert FAMILIES.classes_asked(beetle) is None and FAMILIES.classes_asked(unsure) is None
    assert unsure == Identification(["Diptera", "Coleoptera"], "order", "insect", "class", None)
    named = name_set(FAMILIES, np.array([0.8, 0.2]), ALONE, fly)
    assert named == Identification(["Phoridae"], "family", "Phoridae", "family", pytest.approx(0.72))
    either = name_set(FAMILIES, np.array([0.8, 0.2]), EVERY_CLASS, fly)
    assert either == Identification(["Phoridae", "Sciaridae"], "family", "Diptera", "order", pytest.approx(0.9))


def test_classifiers_that_cannot_be_asked_are_left_out_and_named(caplog):
    beetles = Stage(
        "beetles", [Rank("order", ["Orthoptera"], np.zeros(1, int)), Rank("family", ["Acrididae"], np.arange(1))]
    )
    other = Stage("other", FAMILIES.ranks)
    sexes = Stage("sexes", [Rank("sex", ["f", "m"], np.arange(2))])
    with caplog.at_level(logging.WARNING):
        chain = chain_of([sexes, beetles, FAMILIES, other, ORDERS])
    assert [stage.experiment for stage in chain] == ["orders", "families"]
    assert [record.args[0] for record in caplog.records] == ["beetles", "other", "sexes"]


def test_a_classifier_that_would_never_be_asked_is_left_out_and_narrows_no_level(caplog):
    """One genus has no family in the metadata: after the families are asked, no set is one that the genera know."""
    above = FAMILIES.ranks[0]
    genera = [f"genus{place}" for place in range(3)]
    order = Rank(above.name, above.taxa[:1], np.zeros(3, np.int64))
    chain = chain_of([ORDERS, FAMILIES, Stage("genera", [order, Rank("genus", genera, np.arange(3))])])
    assert [stage.experiment for stage in chain] == [ORDERS.experiment, FAMILIES.experiment]
    assert level_of_each(0.9, chain) == pytest.approx(0.95)
    assert "genera is not used: another one is used for the same taxa" in caplog.text


def test_a_single_classifier_of_any_label_is_asked_first():
    sexes = Stage("sexes", [Rank("sex", ["f", "m"], np.arange(2))])
    assert chain_of([sexes]) == [sexes]
    assert name_set(sexes, np.array([0.1, 0.9]), ALONE).taxon == "m"


def test_the_sets_at_the_end_of_a_chain_hold_the_true_class_as_often_as_promised():
    """Two classifiers, neither good; each misses half of what may be missed, the calibration drawn anew each time."""
    random, level = np.random.default_rng(3), 0.9
    each = level_of_each(level, [ORDERS, FAMILIES])
    assert each == pytest.approx(0.95)
    covered, images = [], 300
    for _ in range(200):
        truth = random.integers(3, size=2 * images)  # Coleoptera, Phoridae, Sciaridae
        of_order, of_family = (truth > 0).astype(int), np.maximum(truth - 1, 0)
        orders = random.normal(size=(2 * images, 2)) + 1.5 * np.eye(2)[of_order]
        families = random.normal(size=(2 * images, 2)) + np.eye(2)[of_family]
        flies = np.flatnonzero(truth[:images] > 0)
        limits = [
            class_thresholds(calibration(ORDERS, of_order[:images], orders[:images]), each),
            class_thresholds(calibration(FAMILIES, of_family[flies], families[flies]), each),
        ]
        for place in range(images, images + 30):
            found = name_set(ORDERS, probabilities(orders[[place]])[0], limits[0])
            if FAMILIES.classes_asked(found) is not None:
                found = name_set(FAMILIES, probabilities(families[[place]])[0], limits[1], found)
            true = {"order": ORDERS.rank.taxa[of_order[place]], "family": FAMILIES.rank.taxa[of_family[place]]}
            if truth[place] == 0:
                true["family"] = "no fly"
            covered.append(true[found.member_rank] in found.members)
    assert np.mean(covered) >= level


def calibration(stage: Stage, truth: np.ndarray, logits: np.ndarray) -> Predictions:
    return Predictions(stage.rank.taxa, [str(place) for place in range(len(truth))], truth, logits)
