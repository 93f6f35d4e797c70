"""The settings of the splits, from the part `splits` of a validated config.

Each parse of the Snakefile imports this module, so it imports no array library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

# What stands for no value in the column of groups, in lower case.
NO_GROUP = ("", "not_classified", "na", "n/a", "nan", "none", "null", "-", "?", "unknown")


TOGETHER = "together"  # of `duplicates`


@dataclass(frozen=True)
class SplitTask:
    """An experiment whose classes are the values of a metadata column; the rule splits each class.

    Rows take part that have the values `where` (column -> value) and one of the `largest_classes` labels with most
    rows; None admits all labels. A row that has a role in the experiment `roles_from` has the same role here.
    """

    label: str
    where: Mapping[str, str] = field(default_factory=dict)
    largest_classes: int | None = None
    roles_from: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The metadata columns that decide which rows take part."""
        return self.label, *self.where

    @property
    def builds_on(self) -> str | None:
        """The experiment whose roles it takes over."""
        return self.roles_from


@dataclass(frozen=True)
class SplitSubset:
    """An experiment of `images` rows drawn from its parent, each with the role that it has there."""

    parent: str
    images: int

    @property
    def builds_on(self) -> str:
        """The experiment whose roles it takes over."""
        return self.parent


SplitExperiments = dict[str, SplitTask | SplitSubset]


@dataclass(frozen=True)
class Splits:
    """The experiments by name and how their rows get their roles."""

    policy: str  # fresh, published, auto or extend
    seed: int
    ratios: dict[str, float]  # share of each role; they sum to 1
    experiments: SplitExperiments
    subset: str  # how a subset shares its images among the classes: balanced or proportional
    closed_subsets: bool  # whether a subset of an extended release has exactly the rows that it had there
    group: str | None  # the column whose rows of one value have one role; None: each row by itself
    duplicates: str | None  # count: copies of images are looked for; together: they have one role as well

    @property
    def by_groups(self) -> bool:
        """Whether rows get their roles in groups."""
        return self.group is not None or self.duplicates == TOGETHER

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Splits:
        """The settings of the part `splits` of a validated config, or of a job that had some of its keys."""
        config = {"closed_subsets": False, "group": None, "duplicates": None} | config
        experiments: SplitExperiments = {
            name: SplitSubset(**settings) if "parent" in settings else SplitTask(**settings)
            for name, settings in config["experiments"].items()
        }
        return cls(**{part.name: config[part.name] for part in fields(cls)} | {"experiments": experiments})

    def task_of(self, name: str) -> SplitTask:
        """The task of an experiment: its own, or that of the parent that it is drawn from."""
        experiment = self.experiments[name]
        return experiment if isinstance(experiment, SplitTask) else self.task_of(experiment.parent)
