"""Images of a group have one role, however classes lie across groups and whatever a release had before."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_splits import RATIOS, splits_of, table, tasks

from bioscan1m.foundation.errors import InputError
from bioscan1m.metadata.split_groups import roles_of_groups
from bioscan1m.metadata.split_rule import NO_ROLE, ROLES, split_counts
from bioscan1m.metadata.split_shortfalls import NO_GROUP_FOR_ROLE, TOO_FEW_GROUPS, find_shortfalls
from bioscan1m.metadata.splits import assign_roles

KINDS = {"kinds": {"label": "kind"}}
GROUPS = 7
EVERY_WAY = np.array(list(product(range(3), repeat=GROUPS)))
rows_of_groups = st.lists(st.tuples(st.integers(0, 3), st.integers(0, GROUPS - 1)), min_size=1, max_size=40)


def specimens(sizes: dict[str, list[int]]) -> pd.DataFrame:
    """Rows of each kind by specimens of these numbers of photographs, shuffled."""
    rows = [
        (kind, f"{kind}{specimen}", f"{kind}{specimen}_{photograph}.jpg")
        for kind, photographs in sizes.items()
        for specimen, count in enumerate(photographs)
        for photograph in range(count)
    ]
    frame = pd.DataFrame(rows, columns=["kind", "sampleid", "image_file"], dtype=object)
    return frame.sample(frac=1, random_state=1, ignore_index=True)


def roles_by_group(groups: pd.Series, roles: np.ndarray) -> pd.Series:
    """The set of roles that the rows of each group have."""
    return pd.Series(roles)[roles != NO_ROLE].groupby(groups[roles != NO_ROLE].to_numpy()).agg(set)


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(st.integers(1, 9), min_size=1, max_size=12), min_size=1))
def test_no_specimen_straddles_and_every_class_of_three_has_all_roles(sizes):
    rows = specimens(sizes)
    config = splits_of(KINDS, group="sampleid")
    assigned = assign_roles(rows, config)
    assert (roles_by_group(rows["sampleid"], assigned["kinds"].roles).map(len) == 1).all()
    counts = dict(zip(assigned["kinds"].classes, assigned["kinds"].counts.tolist(), strict=True))
    left_out = {one.of_class: one.shortfall for one in find_shortfalls(assigned, config)}
    for kind, photographs in sizes.items():
        if len(photographs) >= 3:
            assert all(counts[kind]) and sum(counts[kind]) == sum(photographs) and kind not in left_out
        else:
            assert not any(counts[kind]) and kind in left_out


@given(st.lists(st.integers(3, 60), min_size=1, max_size=5))
def test_groups_of_one_image_give_the_counts_of_the_rule(sizes):
    rows = specimens({f"kind {place}": [1] * size for place, size in enumerate(sizes)})
    counts = assign_roles(rows, splits_of(KINDS, group="sampleid"))["kinds"].counts
    assert counts.tolist() == [list(split_counts(size, RATIOS)) for size in sizes]


@given(st.lists(st.integers(1, 4), min_size=20, max_size=60))
def test_a_part_is_off_by_less_than_the_largest_group(photographs):
    counts = assign_roles(specimens({"a": photographs}), splits_of(KINDS, group="sampleid"))["kinds"].counts
    wanted = split_counts(sum(photographs), RATIOS)
    assert np.abs(counts[0] - wanted).max() <= max(photographs)


@given(rows_of_groups)
def test_groups_of_several_classes_give_every_class_all_roles_where_that_is_possible(rows):
    classes, groups = (np.array(column) for column in zip(*rows, strict=True))
    in_three = [place for place in range(4) if len(set(groups[classes == place])) >= 3]
    chosen = np.isin(classes, in_three)
    classes, groups = classes[chosen], groups[chosen]
    free = np.full(GROUPS, NO_ROLE)
    ranks = np.arange(GROUPS, dtype=np.uint64)
    roles = roles_of_groups(classes, groups, ranks=ranks, fixed=free, ratios=RATIOS)
    assert (roles[groups] != NO_ROLE).all()
    members = [np.unique(groups[classes == place]) for place in in_three]
    assert with_all_roles(members, roles[None])[0] == with_all_roles(members, EVERY_WAY).any()


def with_all_roles(members: list[np.ndarray], ways: np.ndarray) -> np.ndarray:
    """Which ways to give groups their roles, (W, G), give each class, by its groups, all roles: bool (W,)."""
    has = [(ways[:, one] == role).any(axis=1) for one in members for role in range(3)]
    return np.all([np.ones(len(ways), bool), *has], axis=0)


@settings(max_examples=50)
@given(st.lists(st.integers(1, 5), min_size=3, max_size=15), st.lists(st.integers(1, 5), max_size=10))
def test_a_specimen_keeps_its_role_and_new_photographs_of_it_join_it(first, second):
    before, config = specimens({"a": first}), splits_of(KINDS, group="sampleid")
    rows = specimens({"a": [photographs + 1 for photographs in first] + second})
    had = dict(zip(before["image_file"], assign_roles(before, config)["kinds"].roles, strict=True))
    previous = np.array([had.get(name, NO_ROLE) for name in rows["image_file"]])
    roles = assign_roles(rows, config, {"release.tsv": {"kinds": previous}})["kinds"].roles
    assert (roles[previous != NO_ROLE] == previous[previous != NO_ROLE]).all()
    assert (roles_by_group(rows["sampleid"], roles).map(len) == 1).all()


def test_a_release_whose_specimens_straddle_is_refused_by_name():
    rows = specimens({"a": [2, 2, 2]}).sort_values("image_file", ignore_index=True)
    previous = np.array([0, 2, NO_ROLE, NO_ROLE, 1, 1])
    with pytest.raises(InputError, match=r"in two roles: of a0 a0_0.jpg train and a0_1.jpg test"):
        assign_roles(rows, splits_of(KINDS, group="sampleid"), {"release.tsv": {"kinds": previous}})


def test_a_role_that_is_taken_over_binds_the_whole_specimen():
    rows = table({"Culicidae": 30, "Phoridae": 30, "": 40}, {"Coleoptera": 60}).replace(
        {"family": {"": "not_classified"}}
    )
    rows["sampleid"] = [f"specimen {place // 3}" for place in rows["image_file"].str.removesuffix(".jpg").astype(int)]
    assigned = assign_roles(rows, tasks(2, 40, group="sampleid"))
    for name, assignment in assigned.items():
        assert assignment.counts.all(), name
        assert (roles_by_group(rows["sampleid"], assignment.roles).map(len) == 1).all()
    both = (assigned["families"].roles != NO_ROLE) & (assigned["orders"].roles != NO_ROLE)
    assert (assigned["families"].roles[both] == assigned["orders"].roles[both]).all() and both.any()


def test_rows_without_a_value_are_groups_by_themselves():
    rows = specimens({"a": [1] * 30})
    rows["sampleid"] = ["", "not_classified", *(["one"] * 8), *["", "NA", " ", "None"] * 5]
    roles = assign_roles(rows, splits_of(KINDS, group="sampleid"))["kinds"].roles
    assert len(set(roles[2:10])) == 1 and len(set(roles[10:])) == 3


def test_what_groups_cannot_give_is_named():
    rows = pd.DataFrame({"kind": ["a", "b"] * 3 + ["c"] * 4, "sampleid": ["1", "1", "2", "2", "3", "3", *"4455"]})
    rows["image_file"] = [f"{place}.jpg" for place in range(len(rows))]
    config = splits_of(KINDS, group="sampleid")
    assert [str(one) for one in find_shortfalls(assign_roles(rows, config), config)] == [
        f"kinds (c): 4 images: {TOO_FEW_GROUPS}"
    ]
    fixed = {"release.tsv": {"kinds": np.array([0, 0, 0, 0, *[NO_ROLE] * 6])}}
    found = find_shortfalls(assign_roles(rows, config, fixed), config)
    assert [(one.of_class, one.shortfall) for one in found if one.role == ROLES[0]] == []
    assert {one.of_class for one in found if one.shortfall == NO_GROUP_FOR_ROLE} == {"a", "b"}


def test_a_closed_subset_has_what_it_had_and_no_more():
    before, rows = table({"a": 40, "b": 40}, {}), table({"a": 60, "b": 90}, {})
    first = assign_roles(before, tasks(2, 30))
    places = pd.Index(before["image_file"]).get_indexer(rows["image_file"])
    previous = {name: np.append(one.roles, NO_ROLE)[places] for name, one in first.items()}
    closed = assign_roles(rows, tasks(2, 30, closed_subsets=True), {"release.tsv": previous})
    assert (closed["small_families"].roles == previous["small_families"]).all()
    assert (closed["small_orders"].roles == previous["small_orders"]).all()
    assert (closed["families"].roles != NO_ROLE).all()


def with_copies(rows: pd.DataFrame, links: list[tuple[int, int]]) -> pd.Series:
    """Of each row the first of the rows that it is linked with, directly or over others; empty for none."""
    firsts = list(range(len(rows)))
    for link in links:
        both = [firsts[place % len(rows)] for place in link]
        firsts = [min(both) if first in both else first for first in firsts]
    linked = pd.Series(firsts).duplicated(keep=False)
    return rows["image_file"].iloc[firsts].reset_index(drop=True).where(linked, "")


links = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=8)
photographs_of_kinds = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.integers(1, 4), min_size=6, max_size=12), min_size=1
)


@settings(max_examples=50)
@given(photographs_of_kinds, links, st.sampled_from(["sampleid", None]))
def test_copies_are_in_one_role_with_their_groups(sizes, linked, column):
    rows = specimens(sizes)
    copies = with_copies(rows, linked)
    config = splits_of(KINDS, group=column, duplicates="together")
    roles = assign_roles(rows, config, copies=copies)["kinds"].roles
    assert (roles_by_group(copies.where(copies != "", rows["image_file"]), roles).map(len) == 1).all()
    if column:
        assert (roles_by_group(rows[column], roles).map(len) == 1).all()


@settings(max_examples=50)
@given(st.lists(st.integers(1, 3), min_size=6, max_size=12), links, st.integers(0, 2**32))
def test_copies_that_a_release_has_in_two_roles_keep_them(photographs, linked, seed):
    rows = specimens({"a": photographs})
    specimen = pd.factorize(rows["sampleid"])[0]
    previous = np.random.default_rng(seed).integers(NO_ROLE, 3, len(photographs))[specimen]
    config = splits_of(KINDS, group="sampleid", duplicates="together")
    copies = with_copies(rows, linked)
    roles = assign_roles(rows, config, {"release.tsv": {"kinds": previous}}, copies=copies)["kinds"].roles
    assert (roles[previous != NO_ROLE] == previous[previous != NO_ROLE]).all()
    assert (roles_by_group(rows["sampleid"], roles).map(len) == 1).all()


def test_without_copies_and_groups_the_parts_are_those_of_the_rule():
    rows = specimens({"a": [1] * 37, "b": [1] * 12})
    none = pd.Series([""] * len(rows))
    counts = assign_roles(rows, splits_of(KINDS, duplicates="together"), copies=none)["kinds"].counts
    assert counts.tolist() == [list(split_counts(size, RATIOS)) for size in (37, 12)]
