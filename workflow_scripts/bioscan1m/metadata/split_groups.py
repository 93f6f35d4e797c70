"""Roles for groups of images, so that no group has images in two roles: photographs of one specimen, one BIN, one site.

The images of a group may be of several classes. The rule of the splits wants a number of images of each class in each
role; groups cannot always give it. First every class gets a group in each role, rare classes first. Then the other
groups, large ones first, go where the parts of their classes lack most. Equal groups are ordered by their ranks.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from copy import copy

import numpy as np
import pandas as pd

from bioscan1m.foundation.errors import InputError
from bioscan1m.metadata.split_rule import NO_CLASS, NO_ROLE, ROLES, split_counts
from bioscan1m.metadata.split_settings import NO_GROUP

logger = logging.getLogger(__name__)

# Moves that one move may make necessary, each of which gives a class back the role that the move before took from it.
MOST_MOVES = 4


class Groups:
    """The groups of the rows of the metadata by a column; a row with one of NO_GROUP there is a group by itself.

    Attributes:
        column: The name of the column; None where each row is a group by itself.
        names: (G,) the name of each group, that of the image for a row by itself.
        of_rows: (N,) int64, the group of each row, a place in `names`.
    """

    def __init__(self, metadata: pd.DataFrame, column: str | None) -> None:
        """Take the column of `metadata`, which has image_file as well."""
        self.column = column
        self._image_files = metadata["image_file"]
        if column is None:
            names = "image:" + self._image_files
        else:
            blank = metadata[column].str.strip().str.casefold().isin(NO_GROUP)
            # A group may be called as an image is; the word before the colon tells them apart.
            names = blank.map({True: "image", False: "group"}) + ":" + metadata[column].mask(blank, self._image_files)
        places, unique = pd.factorize(names)
        self.of_rows = places.astype(np.int64)
        self.names = pd.Series(unique)

    def joined(self, copies: pd.Series, roles_of_rows: np.ndarray) -> Groups:
        """These groups, where those that have copies of one image are one group.

        Groups that so would have two roles stay as they are, for a role that a row has is not taken from it.

        Args:
            copies: (N,) the name of the first of the copies of each row, empty where it has none.
            roles_of_rows: (N,) int64, the roles that rows have already.
        """
        has_copies = copies.to_numpy() != ""
        places, firsts = pd.factorize(copies[has_copies])
        components = _components(self.of_rows[has_copies], places, len(self.names), len(firsts))
        of_rows, rows = components[self.of_rows], np.flatnonzero(roles_of_rows != NO_ROLE)
        pairs = np.unique(np.stack([of_rows[rows], roles_of_rows[rows]]), axis=1)
        in_two_roles = np.bincount(pairs[0], minlength=components.max(initial=0) + 1) > 1
        if in_two_roles.any():
            logger.warning("%d groups of copies stay apart, for they have two roles already", in_two_roles.sum())
        apart = in_two_roles[components]
        components[apart] = len(in_two_roles) + np.flatnonzero(apart)
        _, first_of_each, of_groups = np.unique(components, return_index=True, return_inverse=True)
        joined = copy(self)
        joined.of_rows, joined.names = of_groups[self.of_rows], self.names.iloc[first_of_each].reset_index(drop=True)
        return joined

    def roles(self, roles_of_rows: np.ndarray, source: str) -> np.ndarray:
        """The role that each group has by its rows: (G,) int64, NO_ROLE where no row has one.

        Args:
            roles_of_rows: (N,) int64.
            source: Where the roles are from, for the message.

        Raises:
            InputError: Rows of one group have two roles.
        """
        roles = np.full(len(self.names), NO_ROLE)
        rows = np.flatnonzero(roles_of_rows != NO_ROLE)
        roles[self.of_rows[rows]] = roles_of_rows[rows]
        differing = rows[roles[self.of_rows[rows]] != roles_of_rows[rows]]
        if len(differing):
            raise InputError(self._in_two_roles(roles_of_rows, differing, source))
        return roles

    def _in_two_roles(self, roles_of_rows: np.ndarray, differing: np.ndarray, source: str) -> str:
        row = differing[0]
        same = np.flatnonzero((self.of_rows == self.of_rows[row]) & (roles_of_rows != NO_ROLE))
        other = same[roles_of_rows[same] != roles_of_rows[row]][0]
        one, two = (f"{self._image_files.iloc[place]} {ROLES[roles_of_rows[place]]}" for place in (row, other))
        count = len(np.unique(self.of_rows[differing]))
        return (
            f"splits.group is {self.column}, but {source} has images of {count} groups in two roles: of "
            f"{self.names[self.of_rows[row]].partition(':')[2]} {one} and {two}. Set splits.group to null, or split "
            "anew with splits.policy fresh"
        )


def split_by_groups(
    labels: np.ndarray,
    groups: Groups,
    ratios: dict[str, float],
    ranks: np.ndarray,
    *,
    inherited: np.ndarray,
    earlier: np.ndarray,
) -> np.ndarray:
    """Give the rows of a task their roles: int64 (N,), NO_ROLE for a row without one.

    Args:
        labels: (N,) int64, the class of each row; NO_CLASS where it has no part in the task.
        groups: The groups of the rows.
        ratios: The share of each role.
        ranks: (G,) uint64, which order groups of equal size.
        inherited: (N,) roles in the experiment whose roles this one takes over; those rows do not count for the rule.
        earlier: (N,) roles in previous releases, which groups retain.

    Raises:
        InputError: Rows of one group had two roles in the previous releases.
    """
    inherits = (labels != NO_CLASS) & (inherited != NO_ROLE)
    had = groups.roles(np.where(inherited == NO_ROLE, earlier, inherited), "the release before")
    chosen = (labels != NO_CLASS) & ~inherits
    classes = labels.max(initial=NO_CLASS) + 1
    split = chosen & divisible(labels[chosen], groups.of_rows[chosen], ratios, classes)[labels]
    distributed = roles_of_groups(labels[split], groups.of_rows[split], ranks=ranks, fixed=had, ratios=ratios)
    roles = np.where(inherits, inherited, NO_ROLE)
    joins = chosen & ~split & np.isin(labels, labels[inherits])  # a class that has its parts by what it inherits
    roles[joins] = had[groups.of_rows[joins]]
    roles[split] = distributed[groups.of_rows[split]]
    return roles


def divisible(labels: np.ndarray, groups: np.ndarray, ratios: dict[str, float], classes: int) -> np.ndarray:
    """Whether each class has images and groups enough for three parts: bool (C + 1,), the last for NO_CLASS.

    Args:
        labels: (N,) int64, the class of each row.
        groups: (N,) int64, the group of each row.
        ratios: The share of each role.
        classes: Their number C.
    """
    images = np.bincount(labels, minlength=classes)
    of_class = np.bincount(np.unique(np.stack([labels, groups]), axis=1)[0], minlength=classes)
    enough = [any(split_counts(int(number), ratios)) for number in images]
    return np.append(np.array(enough, bool) & (of_class >= len(ROLES)), False)


def roles_of_groups(
    classes: np.ndarray, groups: np.ndarray, *, ranks: np.ndarray, fixed: np.ndarray, ratios: dict[str, float]
) -> np.ndarray:
    """Give each of G groups a role, so that the parts of each class come near to those of the rule.

    Args:
        classes: (N,) int64, the class of each row.
        groups: (N,) int64, the group of each row, 0 to G - 1.
        ranks: (G,) uint64, which order groups of equal size.
        fixed: (G,) int64, places in ROLES; NO_ROLE for a group that is free.
        ratios: The share of each role.

    Returns:
        The role of each group, int64 (G,). A class of at least three groups has one in each role, where its groups can
        be moved so in a few steps; a group without rows has NO_ROLE unless it is fixed.
    """
    return _Distribution(classes, groups, ranks, fixed, ratios).run()


class _Distribution:
    """The roles of the groups while they are given out; the arguments are those of `roles_of_groups`."""

    def __init__(
        self, classes: np.ndarray, groups: np.ndarray, ranks: np.ndarray, fixed: np.ndarray, ratios: dict[str, float]
    ) -> None:
        self.roles: list[int] = fixed.tolist()
        self._free = (fixed == NO_ROLE).tolist()
        self._images = _images_by_class(classes, groups, len(fixed))
        self._totals: list[int] = np.bincount(classes).tolist()
        self._wanted = [split_counts(images, ratios) for images in self._totals]
        self._has = [[0] * len(ROLES) for _ in self._totals]  # images
        self._groups_in = [[0] * len(ROLES) for _ in self._totals]
        sizes = np.bincount(groups, minlength=len(fixed))
        self._by_size: list[int] = [group for group in np.lexsort((ranks, -sizes)).tolist() if sizes[group]]
        self._groups_of: defaultdict[int, list[int]] = defaultdict(list)  # of each class, in the order of `_by_size`
        for group in self._by_size:
            for place, _ in self._images[group]:
                self._groups_of[place].append(group)
            if not self._free[group]:
                self._count(group, 1)

    def run(self) -> np.ndarray:
        """Give every group that has rows a role."""
        rare_first = sorted(self._groups_of, key=lambda place: (len(self._groups_of[place]), place))
        for place in rare_first:
            self._cover(place)
        for group in self._without_role(self._by_size):
            self._give(group, min(range(len(ROLES)), key=lambda role: self._cost(group, role)))
        for place in rare_first:
            for role in range(len(ROLES)):
                if not self._groups_in[place][role]:
                    self._bring(place, role, MOST_MOVES, [])
        return np.array(self.roles, np.int64)

    def _cover(self, place: int) -> None:
        """Give a class a group in each role that has none of it: the smallest group to the smallest part."""
        for role in sorted(range(len(ROLES)), key=self._wanted[place].__getitem__):
            if not self._groups_in[place][role]:
                smallest = next(self._without_role(reversed(self._groups_of[place])), None)
                if smallest is not None:
                    self._give(smallest, role)

    def _without_role(self, groups: Iterator[int] | list[int]) -> Iterator[int]:
        return (group for group in groups if self.roles[group] == NO_ROLE)

    def _cost(self, group: int, role: int) -> float:
        """By how much a group adds to the squares of what the parts of its classes lack or exceed, per image."""
        return sum(
            images * (2 * (self._has[place][role] - self._wanted[place][role]) + images) / self._totals[place]
            for place, images in self._images[group]
        )

    def _bring(self, place: int, role: int, most: int, moves: list[tuple[int, int]]) -> bool:
        """Move a group of a class into a role that has none of it.

        Where that takes the last group of another class from a role, one of its groups is brought there. `moves` has
        the groups that were moved and the roles that they had; what led nowhere is taken back.
        """
        for group in self._groups_of[place]:
            before = self.roles[group]
            if not self._free[group] or self._groups_in[place][before] < 2 or any(group == one for one, _ in moves):
                continue
            made = len(moves)
            moves.append((group, before))
            self._give(group, role)
            bare = [one for one, _ in self._images[group] if not self._groups_in[one][before]]
            if not bare or (most > 1 and all(self._bring(one, before, most - 1, moves) for one in bare)):
                return True
            while len(moves) > made:
                self._give(*moves.pop())
        return False

    def _give(self, group: int, role: int) -> None:
        if self.roles[group] != NO_ROLE:
            self._count(group, -1)
        self.roles[group] = role
        self._count(group, 1)

    def _count(self, group: int, sign: int) -> None:
        role = self.roles[group]
        for place, images in self._images[group]:
            self._has[place][role] += sign * images
            self._groups_in[place][role] += sign


def _images_by_class(classes: np.ndarray, groups: np.ndarray, count: int) -> list[list[tuple[int, int]]]:
    """For each of `count` groups its classes with their numbers of images."""
    pairs, images = np.unique(np.stack([groups, classes]), axis=1, return_counts=True)
    found: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for group, place, number in zip(*pairs.tolist(), images.tolist(), strict=True):
        found[group].append((place, number))
    return found


def _components(groups: np.ndarray, copies: np.ndarray, number: int, kinds: int) -> np.ndarray:
    """The connected component of each of `number` groups that are linked by copies of `kinds` images: int64."""
    from scipy.sparse import coo_array  # only where copies are kept together: it takes long to import
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(groups), np.int8), (groups, number + copies)), shape=(number + kinds,) * 2)
    return connected_components(links, directed=False)[1][:number].astype(np.int64)
