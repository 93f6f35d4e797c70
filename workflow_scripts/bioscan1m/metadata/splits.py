"""Which image plays which role in which experiment: the published rule (paper, 4.1), for any list of tasks.

A task takes the rows with a known label, perhaps of some value of another column and of its largest classes only, and
splits each class into training, validation and test. A row may take over the role that it has in another experiment. A
subset draws from the roles of its parent one by one, so that each row has the same role there.

Previous releases can be extended: then every row retains the role that it had there, in whichever experiment it had
one, new rows fill up what the rule lacks, and a subset retains the rows that it had as long as the rule wants so many;
a closed one has exactly those. So no image moves between training, validation and test, but it may leave a subset.

Where the config names a column of groups, all rows of a group have one role in experiments that share their roles; so
have images that look alike, where the config has it so.

Chance comes from a hash of image_file, experiment and seed, which ranks the images of each class. So the result depends
on which images there are, and neither on their order nor on the machine. No image is read: one that is missing or
cannot be read has a role all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from itertools import chain

import numpy as np
import pandas as pd

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.metadata.name_hashes import hash_names, mix
from bioscan1m.metadata.split_groups import Groups, split_by_groups
from bioscan1m.metadata.split_rule import NO_CLASS, NO_ROLE, ROLES, SHARES, fill_up, split_counts
from bioscan1m.metadata.split_settings import SplitExperiments, Splits, SplitTask
from bioscan1m.metadata.table import NOT_CLASSIFIED

Roles = dict[str, np.ndarray]  # of N rows by experiment: int64 (N,), places in ROLES, else NO_ROLE


@dataclass(frozen=True)
class Assignment:
    """The labels and roles of the N rows of the metadata in one experiment; a row with a role has a label."""

    classes: np.ndarray  # (C,) names, sorted
    labels: np.ndarray  # (N,) int64, places in classes; NO_CLASS where the row has no part in the task
    roles: np.ndarray  # (N,) int64, places in ROLES; NO_ROLE where the row has none

    @property
    def groups(self) -> np.ndarray:
        """Class and role of each row as one number, int64 (N,): 3 * label + role; NO_CLASS for rows without a role."""
        return np.where(self.roles == NO_ROLE, NO_CLASS, self.labels * len(ROLES) + self.roles)

    @cached_property
    def counts(self) -> np.ndarray:
        """Images per class and role: int64 (C, 3)."""
        counts = np.bincount(self.groups[self.roles != NO_ROLE], minlength=len(self.classes) * len(ROLES))
        return counts.reshape(len(self.classes), len(ROLES))


def assign_roles(
    metadata: pd.DataFrame,
    splits: Splits,
    previous: Mapping[str, Roles] | None = None,
    threads: int = 1,
    copies: pd.Series | None = None,
) -> dict[str, Assignment]:
    """Give every row its role in every experiment.

    Args:
        metadata: N rows with image_file and the columns that the experiments and `splits.group` name.
        splits: The experiments, and how their classes are split.
        previous: The roles of these rows in the releases to extend, by the file of each release, newest first. An older
            release counts for the rows that have no role in a newer one, as where a label was unknown for a while.
        threads: The number of experiments that are assigned at the same time.
        copies: For each row the first of the images that look alike, empty where there is none; such rows get one role.
            None where that is not asked for.

    Returns:
        The assignment of each experiment, in the order of `splits`.

    Raises:
        InputError: A subset is too small to have every class in every role, or a release gives an image, or the images
            of a group, two roles.
    """
    experiments = splits.experiments
    hashes = hash_names(metadata["image_file"])
    groups = Groups(metadata, splits.group) if splits.by_groups else None
    no_roles = dict.fromkeys(experiments, np.full(len(metadata), NO_ROLE))
    releases = {file: no_roles | roles for file, roles in (previous or {}).items()}
    newest = next(iter(releases.values()), no_roles)
    earlier = _earlier_roles(metadata["image_file"], experiments, releases)
    assigned: dict[str, Assignment] = {}

    def assign(name: str) -> Assignment:
        experiment, ranks = experiments[name], _ranks(hashes, name, splits.seed)
        if isinstance(experiment, SplitTask):
            source = experiment.roles_from
            inherited = assigned[source].roles if source else no_roles[name]
            labels = _labels(metadata, experiment)
            had = {"inherited": inherited, "earlier": earlier[name]}
            if groups is None:
                return _split_task(labels, splits.ratios, ranks, **had)
            classes, places = label_places(labels)
            of = groups if copies is None else groups.joined(copies, _filled(inherited, earlier[name]))
            ranks = _ranks(hash_names(of.names), name, splits.seed)
            return Assignment(classes, places, split_by_groups(places, of, splits.ratios, ranks, **had))
        parent = assigned[experiment.parent]
        if splits.closed_subsets and newest[name] is not no_roles[name]:
            return _closed_subset(parent, newest[name])
        shares = _subset_shares(name, parent.counts, split_counts(experiment.images, splits.ratios), splits.subset)
        return _draw_subset(parent, shares, ranks, preferred=newest[name] != NO_ROLE)

    for names in _sources_first(experiments):
        assigned |= zip(names, map_in_order(assign, names, threads), strict=True)
    return {name: assigned[name] for name in experiments}


def label_places(labels: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The sorted names of the classes, and each row's place among them, NO_CLASS where it has no label."""
    places, classes = pd.factorize(labels, sort=True)
    return np.array(list(classes), dtype=object), places.astype(np.int64)


def _sources_first(experiments: SplitExperiments) -> Iterator[tuple[str, ...]]:
    """The experiments in groups that do not build on each other, each after those that it builds on."""
    sorter = TopologicalSorter({name: filter(None, [one.builds_on]) for name, one in experiments.items()})
    sorter.prepare()
    while names := sorter.get_ready():
        yield names
        sorter.done(*names)


def _ranks(hashes: np.ndarray, experiment: str, seed: int) -> np.ndarray:
    """The ranks of the images in one experiment: their hashes mixed with its name and the seed."""
    return mix(hashes ^ hash_names(pd.Series([f"{seed}:{experiment}"])))


def _labels(metadata: pd.DataFrame, task: SplitTask) -> pd.Series:
    """The label of each row that has a part in the task, missing in all others."""
    labels = metadata[task.label]
    chosen = labels != NOT_CLASSIFIED
    for column, value in task.where.items():
        chosen &= metadata[column] == value
    if task.largest_classes is not None:
        sizes = labels[chosen].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        chosen &= labels.isin(sizes.index[: task.largest_classes])
    return labels.where(chosen)


def _split_task(
    labels_of_rows: pd.Series,
    ratios: dict[str, float],
    ranks: np.ndarray,
    *,
    inherited: np.ndarray,
    earlier: np.ndarray,
) -> Assignment:
    """Split each class by the rule.

    Args:
        labels_of_rows: The label of each of the N rows, missing where a row has no part in the task.
        ratios: The share of each role.
        ranks: (N,) uint64; the rows of a class get their roles by rank.
        inherited: (N,) roles in the experiment whose roles this one takes over; those rows do not count for the rule.
        earlier: (N,) roles in previous releases, which rows retain.

    Returns:
        The roles of all rows; a row has none where its class has too few images for three parts.
    """
    classes, labels = label_places(labels_of_rows)
    inherits = (labels != NO_CLASS) & (inherited != NO_ROLE)
    has_inherited = np.bincount(labels[inherits], minlength=len(classes)) > 0
    roles = np.where(inherits, inherited, NO_ROLE)
    for place, rows in _rows_by_rank(np.where(inherits, NO_CLASS, labels), ranks):
        parts = np.array(split_counts(len(rows), ratios))
        if parts.any() or has_inherited[place]:
            roles[rows] = earlier[rows]
        if parts.any():
            free = roles[rows] == NO_ROLE
            has = np.bincount(roles[rows[~free]], minlength=len(ROLES))
            roles[rows[free]] = np.repeat(np.arange(len(ROLES)), fill_up(parts, has))
    return Assignment(classes, labels, roles)


def _earlier_roles(image_files: pd.Series, experiments: SplitExperiments, releases: Mapping[str, Roles]) -> Roles:
    """For each experiment the roles (N,) in the newest release that gives a row one, else NO_ROLE."""
    earlier: Roles = {}
    for related in _related(experiments):
        roles = np.full(len(image_files), NO_ROLE)
        for file, had in releases.items():
            roles = _filled(roles, _roles_in_release(file, image_files, {name: had[name] for name in related}))
        earlier |= dict.fromkeys(related, roles)
    return earlier


def _roles_in_release(file: str, image_files: pd.Series, had: Roles) -> np.ndarray:
    """The roles (N,) in any of some experiments that share their roles. Raises InputError where two differ."""
    roles = np.full(len(image_files), NO_ROLE)
    for name, others in had.items():
        clashes = np.flatnonzero((roles != NO_ROLE) & (others != NO_ROLE) & (roles != others))
        if len(clashes):
            row = clashes[0]
            raise InputError(
                f"{file}: the release gives {image_files.iloc[row]} the roles {ROLES[roles[row]]} and "
                f"{ROLES[others[row]]} ({name}); an image has one role in experiments that share their images"
            )
        roles = _filled(roles, others)
    return roles


def _filled(roles: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The roles, and the others where there is none."""
    return np.where(roles == NO_ROLE, others, roles)


def _related(experiments: SplitExperiments) -> list[list[str]]:
    """The experiments in groups that share their roles: those that build, over others or not, on the same one."""
    origins: dict[str, str] = {}
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in chain.from_iterable(_sources_first(experiments)):
        source = experiments[name].builds_on
        origins[name] = origins[source] if source else name
        groups[origins[name]].append(name)
    return list(groups.values())


def _draw_subset(parent: Assignment, shares: np.ndarray, ranks: np.ndarray, preferred: np.ndarray) -> Assignment:
    """Draw `shares` images of each class and role of the parent, int64 (C, 3).

    Rows that are `preferred` (N,) bool, come first, then those of lowest rank.
    """
    roles = np.full(len(parent.roles), NO_ROLE)
    for group, rows in _rows_by_rank(parent.groups, ranks, preferred):
        label, role = divmod(group, len(ROLES))
        roles[rows[: shares[label, role]]] = role
    return Assignment(parent.classes, parent.labels, roles)


def _closed_subset(parent: Assignment, had: np.ndarray) -> Assignment:
    """The rows that the subset had, `had` (N,), as far as the parent has them still."""
    return Assignment(parent.classes, parent.labels, np.where(had == NO_ROLE, NO_ROLE, parent.roles))


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


def _rows_by_rank(
    groups: np.ndarray, ranks: np.ndarray, preferred: np.ndarray | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Each group that has rows, with these rows, int64: preferred ones first, then those of lowest rank.

    Args:
        groups: (N,) int64; NO_CLASS for a row that is in no group.
        ranks: (N,) uint64.
        preferred: (N,) bool; None where no row is.
    """
    rows = np.flatnonzero(groups != NO_CLASS)
    rows = rows[np.argsort(ranks[rows])]
    keys = groups.astype(np.min_scalar_type(groups.max(initial=0)))  # numpy sorts 8 and 16 bits by radix
    for key in (keys,) if preferred is None else (~preferred, keys):
        rows = rows[np.argsort(key[rows], kind="stable")]
    sizes = np.bincount(groups[rows])
    used = np.flatnonzero(sizes)
    return zip(used.tolist(), np.split(rows, sizes[used].cumsum()), strict=False)  # behind the last group is no row
