"""Which image plays which role in which experiment: the published rule (paper, 4.1), for any list of tasks.

A task takes the rows with a known label, perhaps of some value of another column and of its largest classes only, and
splits each class into training, validation and test. A row may keep the role that it has in another experiment. A
subset draws from the roles of its parent one by one, so that each row keeps its role there too.

Previous releases can be extended: then every row keeps the role that it had there, in whichever experiment it had one,
new rows fill up what the rule lacks, and a subset keeps the rows that it had as long as the rule wants so many.

Chance comes from a hash of image_file, experiment and seed, which ranks the images of each class. So the result depends
on which images there are, and neither on their order nor on the machine. It asks for no image: one that is missing or
cannot be read keeps its role.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from graphlib import TopologicalSorter
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from bioscan1m.errors import InputError
from bioscan1m.metadata.metadata import NOT_CLASSIFIED
from bioscan1m.metadata.name_hashes import hash_names, mix
from bioscan1m.metadata.split_rule import ROLES, SHARES, fill_up, split_counts
from bioscan1m.streams import map_in_order

NO_ROLE = -1
NO_CLASS = -1
Roles = dict[str, np.ndarray]  # of N rows by experiment: int64 (N,), places in ROLES, else NO_ROLE


@dataclass(frozen=True)
class Assignment:
    """The labels and roles of the N rows of the metadata in one experiment."""

    classes: np.ndarray  # (C,) names, sorted
    labels: np.ndarray  # (N,) int64, places in classes; NO_CLASS where the row has no part in the task
    roles: np.ndarray  # (N,) int64, places in ROLES; NO_ROLE where the row has none

    @cached_property
    def groups(self) -> np.ndarray:
        """Class and role of each row as one number, int64 (N,): 3 * label + role, NO_CLASS for rows without a role."""
        return np.where(self.roles == NO_ROLE, NO_CLASS, self.labels * len(ROLES) + self.roles)

    @cached_property
    def counts(self) -> np.ndarray:
        """Images per class and role: int64 (C, 3)."""
        counts = np.bincount(self.groups + 1, minlength=len(self.classes) * len(ROLES) + 1)
        return counts[1:].reshape(len(self.classes), len(ROLES))


def assign_roles(
    metadata: pd.DataFrame, splits: dict[str, Any], previous: Mapping[str, Roles] | None = None, threads: int = 1
) -> dict[str, Assignment]:
    """The roles of every row in every experiment of `splits`, which is that part of the config.

    `metadata` has N rows with image_file and the columns that the experiments name; `previous` are the roles that these
    rows had in previous releases, by the file of each, newest first. An older release speaks for rows that have no role
    in the newer ones, as where a label was unknown for a while. Raises InputError where a subset is too small to have
    every class in every role, or where a release gives an image two roles.
    """
    experiments, ratios = splits["experiments"], splits["ratios"]
    hashes = hash_names(metadata["image_file"])
    none = {name: np.full(len(metadata), NO_ROLE) for name in experiments}
    releases = {file: none | roles for file, roles in (previous or {"": none}).items()}
    last, kept = next(iter(releases.values())), _kept_roles(metadata, experiments, releases)
    assigned: dict[str, Assignment] = {}

    def assign(name: str) -> Assignment:
        experiment, ranks = experiments[name], _ranks(hashes, name, splits["seed"])
        if "parent" not in experiment:
            inherited = assigned.get(experiment.get("roles_from"))
            return _split_task(metadata, experiment, ratios, ranks, inherited, kept[name])
        parent = assigned[experiment["parent"]]
        shares = _subset_shares(name, parent.counts, split_counts(experiment["images"], ratios), splits["subset"])
        return _draw_subset(parent, shares, ranks, last[name] != NO_ROLE)

    for names in _parents_first(experiments):
        assigned |= zip(names, map_in_order(assign, names, threads), strict=True)
    return {name: assigned[name] for name in experiments}


def label_places(labels: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The sorted names of the classes, and each row's place among them, NO_CLASS where it has no label."""
    places, classes = pd.factorize(labels, sort=True)
    return np.array(list(classes), dtype=object), places.astype(np.int64)


def _parents_first(experiments: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The experiments in groups that do not build on each other, each after those that it builds on."""
    needs = {name: [e[key] for key in ("parent", "roles_from") if key in e] for name, e in experiments.items()}
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    while names := sorter.get_ready():
        yield names
        sorter.done(*names)


def _ranks(hashes: np.ndarray, experiment: str, seed: int) -> np.ndarray:
    """The ranks of the images in one experiment: their hashes mixed with its name and the seed."""
    return mix(hashes ^ hash_names(pd.Series([f"{seed}:{experiment}"])))


def _split_task(
    metadata: pd.DataFrame,
    task: dict[str, Any],
    ratios: dict[str, float],
    ranks: np.ndarray,
    inherited: Assignment | None,
    kept: np.ndarray,
) -> Assignment:
    """Split each class by the rule; `kept` (N,) are roles that rows must not lose, NO_ROLE where a row is free."""
    classes, labels = label_places(_labels(metadata, task))
    inherits = np.zeros(len(labels), bool) if inherited is None else inherited.roles != NO_ROLE
    own = np.where(inherits, NO_CLASS, labels)
    sizes = np.bincount(own + 1, minlength=len(classes) + 1)[1:]
    parts = np.array([split_counts(int(images), ratios) for images in sizes], np.int64).reshape(-1, len(ROLES))
    has_parts = parts.any(axis=1)
    takes_part = has_parts | (np.bincount(labels[inherits] + 1, minlength=len(classes) + 1)[1:] > 0)
    roles = np.where(np.append(takes_part, False)[own], kept, NO_ROLE)  # what is appended is for NO_CLASS
    has = Assignment(classes, labels, roles).counts * has_parts[:, None]
    free = np.where((roles == NO_ROLE) & np.append(has_parts, False)[own], own, NO_CLASS)
    places = _places_in_group(free, ranks)
    ends = np.array([fill_up(*one) for one in zip(parts, has, strict=True)]).reshape(-1, len(ROLES)).cumsum(axis=1)
    split = np.flatnonzero(free != NO_CLASS)
    roles[split] = (places[split, None] >= ends[labels[split]]).sum(axis=1)
    if inherited is not None:
        roles = np.where(inherits & (labels != NO_CLASS), inherited.roles, roles)
    return Assignment(classes, labels, roles)


def _kept_roles(metadata: pd.DataFrame, experiments: dict[str, Any], releases: Mapping[str, Roles]) -> Roles:
    """For each experiment the roles (N,) that rows had in the newest release that gives them one, else NO_ROLE."""
    each = [_roles_of_release(file, metadata, experiments, had) for file, had in releases.items()]
    return {name: reduce(_filled, (roles[name] for roles in each)) for name in experiments}


def _filled(roles: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The roles, and the others where there is none."""
    return np.where(roles == NO_ROLE, others, roles)


def _roles_of_release(file: str, metadata: pd.DataFrame, experiments: dict[str, Any], had: Roles) -> Roles:
    """For each experiment the roles (N,) that rows had in it or in one that shares its roles, else NO_ROLE."""
    kept = {}
    for related in _related(experiments):
        roles = np.full(len(metadata), NO_ROLE)
        for name in related:
            clash = (roles != NO_ROLE) & (had[name] != NO_ROLE) & (roles != had[name])
            if clash.any():
                row = np.flatnonzero(clash)[0]
                raise InputError(
                    f"{file}: the release gives {metadata['image_file'].iloc[row]} the roles {ROLES[roles[row]]} and "
                    f"{ROLES[had[name][row]]} ({name}); an image has one role in experiments that share their images"
                )
            roles = _filled(roles, had[name])
        kept |= dict.fromkeys(related, roles)
    return kept


def _related(experiments: dict[str, Any]) -> list[list[str]]:
    """The experiments in groups that share roles, by parent or roles_from."""
    groups: list[list[str]] = []
    for name in chain.from_iterable(_parents_first(experiments)):
        linked = {experiments[name].get(key) for key in ("parent", "roles_from")}
        joined = [group for group in groups if linked & set(group)]
        groups = [group for group in groups if group not in joined]
        groups.append([other for group in joined for other in group] + [name])
    return groups


def _labels(metadata: pd.DataFrame, task: dict[str, Any]) -> pd.Series:
    """The label of each row that has a part in the task, missing in all others."""
    labels = metadata[task["label"]]
    chosen = labels != NOT_CLASSIFIED
    for column, value in task.get("where", {}).items():
        chosen &= metadata[column] == value
    if "largest_classes" in task:
        sizes = labels[chosen].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        chosen &= labels.isin(sizes.index[: task["largest_classes"]])
    return labels.where(chosen)


def _draw_subset(parent: Assignment, shares: np.ndarray, ranks: np.ndarray, preferred: np.ndarray) -> Assignment:
    """`shares` images of each class and role of the parent, int64 (C, 3): preferred ones, then those of lowest rank."""
    groups = parent.groups
    places = _places_in_group(groups, ranks, ~preferred)
    members = np.flatnonzero(groups != NO_CLASS)
    drawn = members[places[members] < shares.ravel()[groups[members]]]
    roles = np.full(len(groups), NO_ROLE)
    roles[drawn] = parent.roles[drawn]
    return Assignment(parent.classes, parent.labels, roles)


def _subset_shares(name: str, available: np.ndarray, quotas: tuple[int, int, int], subset: str) -> np.ndarray:
    """Images of each class and role, int64 (C, 3), whose sums are the quotas where so many are available."""
    shares = np.zeros_like(available)
    for place, (images, quota) in enumerate(zip(available.T, quotas, strict=True)):
        if quota < (images > 0).sum():
            raise InputError(
                f"splits.experiments.{name}.images: too few; its {ROLES[place]} part has {quota} images for "
                f"{(images > 0).sum()} classes"
            )
        shares[:, place] = SHARES[subset](images, min(quota, images.sum()))
    return shares


def _places_in_group(groups: np.ndarray, ranks: np.ndarray, last: np.ndarray | None = None) -> np.ndarray:
    """Each row's place among the rows of its group, lowest rank first: int64 (N,), without meaning for NO_CLASS.

    Rows for which `last` is true come after all others of the group.
    """
    rows = np.flatnonzero(groups != NO_CLASS)
    rows = rows[np.argsort(ranks[rows])]
    groups = groups.astype(np.min_scalar_type(-groups.max(initial=1)))  # numpy sorts 8 and 16 bits by radix
    for key in (groups,) if last is None else (last, groups):
        rows = rows[np.argsort(key[rows], kind="stable")]
    sizes = np.bincount(groups[rows])
    places = np.empty(len(groups), np.int64)
    places[rows] = np.arange(len(rows)) - np.repeat(sizes.cumsum() - sizes, sizes)
    return places
