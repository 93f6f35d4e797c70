"""What the split rule could not give: classes left out, parts of subsets below their quota, roles without a label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from bioscan1m.metadata.split_rule import ROLES, split_counts
from bioscan1m.metadata.split_settings import Splits, SplitSubset
from bioscan1m.metadata.splits import NO_CLASS, NO_ROLE, Assignment

TOO_FEW_FOR_PARTS = "too few images for three parts: the class is left out"
TOO_FEW_GROUPS = "fewer groups than roles: the class is left out"
NO_GROUP_FOR_ROLE = "none in this role: no group could be moved there without emptying another class's"
TOO_FEW_IN_PARENT = "the parent has fewer images than wanted: all of them are drawn"
LEFT = "still in the experiment, of those that the previous releases had"
NO_LABEL = "a role in the source but no label: the rows are left out"


class Shortfall(NamedTuple):
    """One row of the table: of which class and role, where it is not of all, and how many images of how many wanted."""

    experiment: str
    shortfall: str
    images: int
    wanted: int | None = None
    of_class: str = ""
    role: str = ""

    def __str__(self) -> str:
        which = ", ".join(filter(None, (self.of_class, self.role)))
        wanted = "" if self.wanted is None else f" of {self.wanted}"
        return f"{self.experiment}{f' ({which})' if which else ''}: {self.images} images{wanted}: {self.shortfall}"


def find_shortfalls(
    assigned: dict[str, Assignment], splits: Splits, source_roles: pd.DataFrame | None = None
) -> list[Shortfall]:
    """All shortfalls, by experiment.

    Args:
        assigned: The assignment of each experiment.
        splits: The experiments and the ratios.
        source_roles: The columns of roles that the source has, where these were taken; None where the rule was applied.
    """
    found: list[Shortfall] = []
    for name, assignment in assigned.items():
        experiment = splits.experiments[name]
        if isinstance(experiment, SplitSubset):
            quotas = split_counts(experiment.images, splits.ratios)
            available = assigned[experiment.parent].counts.sum(axis=0)
            found += _parts_below_quota(name, assignment.counts.sum(axis=0), quotas, available)
        else:
            found += _classes_left_out(name, assignment, splits)
        if source_roles is not None:
            found += _roles_without_label(name, assignment, source_roles[name])
    return found


def shortfall_table(shortfalls: list[Shortfall]) -> pd.DataFrame:
    """The columns experiment, class, role, images, wanted and shortfall; empty where one does not apply."""
    table = pd.DataFrame(shortfalls, columns=Shortfall._fields).rename(columns={"of_class": "class"})
    return table[["experiment", "class", "role", "images", "wanted", "shortfall"]].astype({"wanted": "Int64"})


def _classes_left_out(name: str, assignment: Assignment, splits: Splits) -> Iterator[Shortfall]:
    labels = assignment.labels[assignment.labels != NO_CLASS]
    images = np.bincount(labels, minlength=len(assignment.classes)).tolist()
    for of_class, number, counts in zip(assignment.classes, images, assignment.counts, strict=True):
        if number and not counts.any():
            enough = splits.by_groups and any(split_counts(number, splits.ratios))
            yield Shortfall(name, TOO_FEW_GROUPS if enough else TOO_FEW_FOR_PARTS, number, of_class=str(of_class))
        elif number and splits.by_groups:
            for role in np.array(ROLES)[counts == 0]:
                yield Shortfall(name, NO_GROUP_FOR_ROLE, 0, of_class=str(of_class), role=str(role))


def _parts_below_quota(
    name: str, drawn: np.ndarray, quotas: tuple[int, int, int], available: np.ndarray
) -> Iterator[Shortfall]:
    for role, images, quota, most in zip(ROLES, drawn, quotas, available, strict=True):
        if images == most < quota:
            yield Shortfall(name, TOO_FEW_IN_PARENT, int(images), quota, role=role)


def _roles_without_label(name: str, assignment: Assignment, source: pd.Series) -> Iterator[Shortfall]:
    left_out = source.isin(ROLES) & (assignment.roles == NO_ROLE)
    if left_out.any():
        yield Shortfall(name, NO_LABEL, int(left_out.sum()))
