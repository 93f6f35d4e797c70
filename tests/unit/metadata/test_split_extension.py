"""A release is extended: no image changes its role, subsets inherit, quotas are met as nearly as that allows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_splits import RATIOS, splits_of, table, tasks

from bioscan1m.foundation.errors import InputError
from bioscan1m.metadata.split_rule import ROLES, fill_up, split_counts
from bioscan1m.metadata.split_settings import Splits, SplitSubset
from bioscan1m.metadata.splits import NO_ROLE, Assignment, assign_roles
from bioscan1m.metadata.table import NOT_CLASSIFIED

PARENTS = {"small_orders": "orders", "small_families": "families"}


Release = tuple[pd.DataFrame, dict[str, Assignment]]  # the rows, and their roles


def extended(rows: pd.DataFrame, config: Splits, *releases: Release) -> dict[str, Assignment]:
    """The roles of `rows`, where those of `releases`, newest first, had others."""
    return assign_roles(rows, config, {str(age): roles_in(release, rows) for age, release in enumerate(releases)})


def roles_in(release: Release, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """The roles that `rows` had in a release, by experiment."""
    before, assigned = release
    places = pd.Index(before["image_file"]).get_indexer(rows["image_file"])
    return {name: np.append(assignment.roles, NO_ROLE)[places] for name, assignment in assigned.items()}


def role_changes(before: pd.DataFrame, old: Assignment, rows: pd.DataFrame, new: Assignment) -> int:
    """Images with a role in both that is not the same."""
    roles = dict(zip(before["image_file"], old.roles, strict=True))
    pairs = ((roles.get(name, NO_ROLE), role) for name, role in zip(rows["image_file"], new.roles, strict=True))
    return sum(NO_ROLE not in pair and pair[0] != pair[1] for pair in pairs)


def require_promises(rows: pd.DataFrame, config: Splits, assigned: dict[str, Assignment]) -> None:
    """What holds for every release, however it came about."""
    for name, parent in PARENTS.items():
        has = assigned[name].roles != NO_ROLE
        assert (assigned[name].roles[has] == assigned[parent].roles[has]).all()
        subset = config.experiments[name]
        assert isinstance(subset, SplitSubset)
        quotas = split_counts(subset.images, RATIOS)
        available = assigned[parent].counts.sum(axis=0)
        assert assigned[name].counts.sum(axis=0).tolist() == np.minimum(quotas, available).tolist()
    families, orders = assigned["families"].roles, assigned["orders"].roles
    assert (orders[families != NO_ROLE] == families[families != NO_ROLE]).all()
    assert len(rows) == len(families) == len(orders)


def grown(rng: np.random.Generator, before: pd.DataFrame, families: dict[str, int], number: int) -> pd.DataFrame:
    """The rows before, and new ones of these families and of two orders."""
    new = table(families, {"Coleoptera": int(rng.integers(0, 40)), "Odonata": int(rng.integers(0, 3))})
    new["image_file"] = [f"{number}-{name}" for name in new["image_file"]]
    return pd.concat([before, new], ignore_index=True).sample(frac=1, random_state=number, ignore_index=True)


@settings(max_examples=6)
@given(st.integers(0, 10_000))
def test_five_chunks_arrive_one_after_the_other(seed):
    require_promises_of_five_chunks(seed)


@pytest.mark.slow  # each example takes a second
@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_five_chunks_arrive_one_after_the_other_in_many_ways(seed):
    require_promises_of_five_chunks(seed)


def require_promises_of_five_chunks(seed):
    """One family overtakes another among the three largest, and a label is corrected each time and lost each time.

    No image has two roles in all the releases, also where it had none in those between.
    """
    rng = np.random.default_rng(seed)
    config = tasks(largest_classes=3, images=60)
    rows = table({"a": 120, "b": 60, "c": 40, "d": 20}, {"Coleoptera": 80})
    releases = [(rows, assign_roles(rows, config))]  # newest first
    lost = None
    for number in range(1, 6):
        new = {"a": int(rng.integers(0, 60)), "d": 25, "e": int(rng.integers(0, 5))}
        rows = grown(rng, releases[0][0], new, number)
        if lost is not None:  # the label is known again
            rows.loc[rows["image_file"] == lost["image_file"], ["order", "family"]] = lost["order"], lost["family"]
        corrected, lost = rng.integers(len(rows)), rows.iloc[rng.integers(len(rows))]
        rows.loc[corrected, ["order", "family"]] = ["Diptera", "b"]
        rows.loc[rows["image_file"] == lost["image_file"], ["order", "family"]] = NOT_CLASSIFIED
        release = extended(rows, config, *releases)
        for (before, old), (one, other) in product(releases, product(release, repeat=2)):
            assert role_changes(before, old[one], rows, release[other]) == 0
        require_promises(rows, config, release)
        releases.insert(0, (rows, release))
    first, last = releases[-1][1], releases[0][1]
    assert "d" in last["families"].classes and "d" not in first["families"].classes


def test_an_unchanged_table_keeps_every_role_and_every_subset():
    rows, config = table({"a": 120, "b": 60, "c": 9}, {"Coleoptera": 80, "Odonata": 4}), tasks(2, 60)
    release = assign_roles(rows, config)
    again = extended(rows.sample(frac=1, random_state=3, ignore_index=True), config, (rows, release))
    shuffled = rows.sample(frac=1, random_state=3).index
    for name in release:
        assert again[name].roles.tolist() == release[name].roles[shuffled].tolist()


def test_new_images_fill_up_what_the_rule_lacks():
    rows = pd.DataFrame({"image_file": [f"{n}.jpg" for n in range(100)], "kind": ["ant"] * 100})
    config = splits_of({"kinds": {"label": "kind"}})
    had = np.full(100, NO_ROLE)
    had[:60] = ROLES.index("train")
    counts = assign_roles(rows, config, {"release.tsv": {"kinds": had}})["kinds"].counts
    assert counts.tolist() == [[70, 10, 20]]
    had[:80] = ROLES.index("train")  # ten too many: the others share what is left, each as near as can be
    assert assign_roles(rows, config, {"release.tsv": {"kinds": had}})["kinds"].counts.tolist() == [[80, 5, 15]]


@given(st.lists(st.integers(0, 40), min_size=3, max_size=3), st.lists(st.integers(0, 40), min_size=3, max_size=3))
def test_filling_up_comes_as_near_as_can_be(wanted, has):
    wanted, has = np.array(wanted), np.array(has)
    more = (wanted - has).sum()
    if more < 0:
        return
    added = fill_up(wanted, has)
    assert added.sum() == more and added.min() >= 0
    missed = ((wanted - has - added) ** 2).sum()
    for giver, taker in [(giver, taker) for giver in range(3) for taker in range(3) if giver != taker and added[giver]]:
        other = added.copy()
        other[giver] -= 1
        other[taker] += 1
        assert ((wanted - has - other) ** 2).sum() >= missed


def test_an_image_that_loses_its_label_leaves_and_keeps_its_role_where_it_stays():
    rows, config = table({"a": 120, "b": 60}, {"Coleoptera": 80}), tasks(2, 60)
    release = assign_roles(rows, config)
    row = int(np.flatnonzero(release["families"].roles == ROLES.index("test"))[0])
    changed = rows.copy()
    changed.loc[row, "family"] = NOT_CLASSIFIED
    again = extended(changed, config, (rows, release))
    assert again["families"].roles[row] == again["small_families"].roles[row] == NO_ROLE
    assert again["orders"].roles[row] == ROLES.index("test")
    later = extended(rows, config, (changed, again), (rows, release))  # the label is known again
    assert later["families"].roles[row] == ROLES.index("test")


def test_where_the_newest_release_knows_every_image_an_older_one_changes_nothing():
    """Above all, it calls nobody back into a subset that others have joined since."""
    config, rows = tasks(3, 60), table({"a": 90, "b": 60}, {"Coleoptera": 80})
    first = (rows, assign_roles(rows, config))
    more = grown(np.random.default_rng(1), rows, {"c": 60}, 1)
    second = (more, extended(more, config, first))
    assert any((roles_in(first, more)[name] != NO_ROLE)[second[1][name].roles == NO_ROLE].any() for name in PARENTS)
    alone, with_older = extended(more, config, second), extended(more, config, second, first)
    for name in alone:
        assert alone[name].roles.tolist() == with_older[name].roles.tolist()


def test_a_release_that_contradicts_itself_is_refused():
    rows, config = table({"a": 30}, {}), tasks(2, 30)
    had = {name: np.full(30, NO_ROLE) for name in config.experiments}
    had["families"][4], had["small_orders"][4] = 0, 2
    newer = {name: np.full(30, NO_ROLE) for name in had}
    with pytest.raises(
        InputError, match=r"^1\.tsv: the release gives \d+\.jpg the roles (test and train|train and test)"
    ):
        assign_roles(rows, config, {"2.tsv": newer, "1.tsv": had})
