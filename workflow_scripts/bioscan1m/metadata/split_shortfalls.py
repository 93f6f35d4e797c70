"""What the split rule could not give: classes left out, parts of subsets below their quota, roles without a label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bioscan1m.metadata.split_rule import ROLES, split_counts
from bioscan1m.metadata.splits import NO_ROLE, Assignment

TOO_FEW_FOR_PARTS = "too few images for three parts: the class is left out"
TOO_FEW_IN_PARENT = "the parent has fewer images than wanted: all of them are drawn"
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
    assigned: dict[str, Assignment], splits: dict[str, Any], source_roles: pd.DataFrame | None = None
) -> list[Shortfall]:
    """All of them, by experiment; `source_roles` are the columns of the source where the roles were taken from it."""
    found: list[Shortfall] = []
    for name, assignment in assigned.items():
        experiment = splits["experiments"][name]
        if "parent" in experiment:
            quotas = split_counts(experiment["images"], splits["ratios"])
            available = assigned[experiment["parent"]].counts.sum(axis=0)
            found += _parts_below_quota(name, assignment.counts.sum(axis=0), quotas, available)
        else:
            found += _classes_left_out(name, assignment)
        if source_roles is not None:
            found += _roles_without_label(name, assignment, source_roles[name])
    return found


def shortfall_table(shortfalls: list[Shortfall]) -> pd.DataFrame:
    """The columns experiment, class, role, images, wanted and shortfall; empty where one does not apply."""
    table = pd.DataFrame(shortfalls, columns=Shortfall._fields).rename(columns={"of_class": "class"})
    return table[["experiment", "class", "role", "images", "wanted", "shortfall"]].astype({"wanted": "Int64"})


def _classes_left_out(name: str, assignment: Assignment) -> Iterator[Shortfall]:
    images = np.bincount(assignment.labels + 1, minlength=len(assignment.classes) + 1)[1:]
    for place in np.flatnonzero((images > 0) & ~assignment.counts.any(axis=1)):
        yield Shortfall(name, TOO_FEW_FOR_PARTS, int(images[place]), of_class=str(assignment.classes[place]))


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
