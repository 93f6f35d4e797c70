"""The rule of the splits gives the published numbers, and keeps its promises on any class histogram."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.published import published
from bioscan1m.metadata.split_rule import ROLES, balanced_shares, proportional_shares, split_counts
from bioscan1m.metadata.split_settings import Splits
from bioscan1m.metadata.splits import NO_CLASS, NO_ROLE, Assignment, assign_roles
from bioscan1m.metadata.table import NOT_CLASSIFIED
from workflow_runs import REPOSITORY

RATIOS = {"train": 0.7, "validation": 0.1, "test": 0.2}
KNOWN = [0, 2, 0, 0, 0, 0, 0, 2, 0, 1]  # roles of 0.jpg to 9.jpg as one class of an experiment `kinds`, with seed 1
histograms = st.lists(st.integers(1, 60), min_size=1, max_size=6)


def full_splits() -> Splits:
    return Splits.from_config(yaml.safe_load((REPOSITORY / "config.yaml").read_text())["splits"])


def splits_of(experiments: dict[str, dict], subset: str = "balanced", seed: int = 1, **settings: Any) -> Splits:
    config = {"policy": "fresh", "seed": seed, "ratios": RATIOS, "experiments": experiments, "subset": subset}
    return Splits.from_config(config | {"group": None, "closed_subsets": False} | settings)


def table(families: dict[str, int], orders: dict[str, int]) -> pd.DataFrame:
    """Rows of Diptera with these families, and of other orders, shuffled."""
    taxa = [("Diptera", family) for family, images in families.items() for _ in range(images)]
    taxa += [(order, NOT_CLASSIFIED) for order, images in orders.items() for _ in range(images)]
    rows = pd.DataFrame(taxa, columns=["order", "family"], dtype=object)
    rows["image_file"] = [f"{row}.jpg" for row in range(len(rows))]
    return rows.sample(frac=1, random_state=1, ignore_index=True)


def tasks(largest_classes: int, images: int, subset: str = "balanced", seed: int = 1, **settings: Any) -> Splits:
    """A task, one that inherits its roles, and a subset of each."""
    experiments = {
        "small_orders": {"parent": "orders", "images": images},
        "orders": {"label": "order", "roles_from": "families"},
        "families": {"label": "family", "where": {"order": "Diptera"}, "largest_classes": largest_classes},
        "small_families": {"parent": "families", "images": images},
    }
    return splits_of(experiments, subset, seed, **settings)


def roles_by_image(rows: pd.DataFrame, assignment: Assignment) -> dict[str, int]:
    return dict(zip(rows["image_file"], assignment.roles.tolist(), strict=True))


def test_table_3_from_the_published_class_counts():
    counts = published("class_counts").groupby("group_level")
    families, orders = (counts.get_group(group).set_index("class")["images"] for group in ("diptera_family", "order"))
    total = published("table1_labels").set_index("rank").loc["order", "labelled_samples"]
    unknown = {NOT_CLASSIFIED: int(orders["Diptera"] - families.sum())}
    too_small = {"Siphonaptera": 2, "Strepsiptera": 2, "Zoraptera": int(total - orders.sum()) - 4}
    rows = table({**families, **unknown}, {**orders.drop("Diptera"), **too_small})
    assert len(rows) == total
    for name, assignment in assign_roles(rows, full_splits()).items():
        expected = published("table3_splits").set_index("experiment").loc[name]
        images = assignment.counts
        assert images.sum() == expected["total"]
        assert images.sum(axis=0).tolist() == [expected[role] for role in ROLES]
        assert images.any(axis=1).sum() == expected["classes"]


@pytest.mark.parametrize(
    ("images", "counts"),
    [
        (0, (0, 0, 0)), (2, (0, 0, 0)), (3, (1, 1, 1)), (5, (3, 1, 1)), (6, (4, 1, 1)), (7, (5, 1, 1)),
        (15, (10, 2, 3)), (25, (18, 2, 5)), (45, (32, 4, 9)), (259104, (181373, 25910, 51821)),
    ],
)  # fmt: skip
def test_counts_of_one_class_round_halves_to_even(images, counts):
    assert split_counts(images, RATIOS) == counts


@given(st.integers(0, 10**6))
def test_counts_of_one_class_have_its_sum_or_are_nothing(images):
    counts = split_counts(images, RATIOS)
    assert sum(counts) == images if images >= 3 else counts == (0, 0, 0)
    assert min(counts) > 0 or counts == (0, 0, 0)


@given(histograms, st.data())
def test_shares_have_the_quota_as_their_sum_and_take_no_more_than_there_is(available, data):
    available = np.array(available)
    quota = data.draw(st.integers(len(available), int(available.sum())))
    for shares in (balanced_shares(available, quota), proportional_shares(available, quota)):
        assert shares.sum() == quota
        assert (shares <= available).all() and (shares >= 1).all()
    balanced = balanced_shares(available, quota)
    below_level = balanced < np.minimum(available, balanced.max())
    assert np.all(np.diff(below_level[np.argsort(-available, kind="stable")].astype(int)) <= 0)  # the largest alone


def test_balanced_shares_use_rare_classes_up_and_take_the_excess_off_the_largest():
    assert balanced_shares(np.array([1000, 3, 20, 500]), 64).tolist() == [20, 3, 20, 21]
    assert balanced_shares(np.array([5, 5, 5]), 15).tolist() == [5, 5, 5]


def test_proportional_shares_keep_one_of_each_class():
    assert proportional_shares(np.array([900, 1, 99]), 100).tolist() == [89, 1, 10]


@settings(deadline=None, max_examples=60)
@given(histograms, histograms, st.integers(1, 6), st.integers(70, 200), st.sampled_from(["balanced", "proportional"]))
def test_promises_hold_on_any_histogram(families, orders, largest_classes, images, subset):
    rows = table(
        {f"family{n}": count for n, count in enumerate(families)} | {NOT_CLASSIFIED: 7},
        {f"order{n}": count for n, count in enumerate(orders)},
    )
    config = tasks(largest_classes, images, subset)
    assigned = assign_roles(rows, config)
    assert list(assigned) == list(config.experiments)
    in_families, in_orders = assigned["families"].roles, assigned["orders"].roles
    chosen = sorted(families, reverse=True)[:largest_classes]
    assert (in_families != NO_ROLE).sum() == sum(sum(split_counts(count, RATIOS)) for count in chosen)
    kept = in_families != NO_ROLE
    assert (in_orders[kept] == in_families[kept]).all()
    for name in ("families", "orders"):
        whole, part = assigned[name], assigned[f"small_{name}"]
        drawn = part.roles != NO_ROLE
        assert (part.roles[drawn] == whole.roles[drawn]).all()
        quotas = np.minimum(split_counts(images, RATIOS), whole.counts.sum(axis=0))
        assert part.counts.sum(axis=0).tolist() == quotas.tolist()
        assert (part.counts.any(axis=1) == whole.counts.any(axis=1)).all()
        assert (whole.labels[whole.roles != NO_ROLE] != NO_CLASS).all()


@settings(deadline=None, max_examples=30)
@given(histograms, histograms, st.integers(0, 100))
def test_the_order_of_rows_does_not_matter(families, orders, seed):
    rows = table({f"f{n}": c for n, c in enumerate(families)}, {f"o{n}": c for n, c in enumerate(orders)})
    other = rows.sample(frac=1, random_state=seed, ignore_index=True)
    first, second = assign_roles(rows, tasks(3, 70)), assign_roles(other, tasks(3, 70))
    for name in first:
        assert roles_by_image(rows, first[name]) == roles_by_image(other, second[name])


def test_another_seed_gives_other_roles_and_the_same_counts():
    rows = table({"a": 300, "b": 40}, {"c": 90})
    first, second = (assign_roles(rows, tasks(2, 60, seed=seed)) for seed in (1, 2))
    for name in first:
        assert first[name].roles.tolist() != second[name].roles.tolist()
        assert first[name].counts.tolist() == second[name].counts.tolist()


def test_known_roles_on_every_platform():
    rows = pd.DataFrame({"image_file": [f"{n}.jpg" for n in range(10)], "kind": ["ant"] * 10})
    config = splits_of({"kinds": {"label": "kind"}})
    assert assign_roles(rows, config)["kinds"].roles.tolist() == KNOWN
    longer = pd.DataFrame({"image_file": [f"{'ä' * n}.jpg" for n in range(120)], "kind": ["bee"] * 120})
    assert assign_roles(pd.concat([rows, longer]), config)["kinds"].roles[:10].tolist() == KNOWN


@pytest.mark.parametrize("classes", [43, 129])
def test_any_number_of_classes_can_be_split(classes):
    """With 43 or 129 classes the largest number of a class and role, or of a class, is 2^7."""
    rows = table({f"family{n:03}": 10 for n in range(classes)}, {})
    assigned = assign_roles(rows, tasks(classes, 10 * classes))
    assert assigned["families"].counts.tolist() == [[7, 1, 2]] * classes
    assert assigned["small_families"].counts.tolist() == [[7, 1, 2]] * classes


def test_a_quota_above_the_parent_takes_all_of_it():
    assigned = assign_roles(table({"a": 30, "b": 10}, {}), tasks(2, 500))
    assert assigned["small_families"].roles.tolist() == assigned["families"].roles.tolist()


def test_a_quota_below_the_number_of_classes_is_refused():
    rows = table({f"family{n}": 30 for n in range(6)}, {})
    with pytest.raises(
        InputError, match=r"splits.experiments.small_families.images: too few; .*5 images for 6 classes"
    ):
        assign_roles(rows, tasks(6, 50))


def test_a_task_that_nothing_matches_is_empty():
    assigned = assign_roles(table({}, {"Coleoptera": 30}), tasks(6, 50))
    assert len(assigned["families"].classes) == 0
    assert (assigned["small_families"].roles == NO_ROLE).all()
    assert (assigned["orders"].roles != NO_ROLE).all()
