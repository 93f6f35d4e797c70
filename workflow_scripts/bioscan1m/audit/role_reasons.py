"""The reason for the role of an image in each experiment: the rule of splits.py, with the counts of the run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bioscan1m.jobs.records import Record
from bioscan1m.metadata.split_rule import ROLES, split_counts
from bioscan1m.metadata.split_settings import TOGETHER, Splits, SplitSubset, SplitTask
from bioscan1m.metadata.table import NO_SPLIT, NOT_CLASSIFIED
from bioscan1m.plan.configuration import previous_releases

COUNTS, VALIDATED = "results/splits/counts.tsv", "results/metadata/validated.parquet"

Counts = dict[tuple[str, str, str], int]  # images by experiment, class and role


def explain_roles(
    run: Path, row: dict[str, Any], made: dict[str, tuple[Record, dict[str, Any]]]
) -> list[dict[str, str]]:
    """Experiment, role, class and reason for each experiment of the run; `row` is the image's in the metadata."""
    if COUNTS not in made:
        return []
    settings = made[COUNTS][0].parameters["splits"]
    splits, releases = Splits.from_config(settings), previous_releases(settings)
    counts, published = _read_counts(run / COUNTS), _are_published(run, splits)
    explained = []
    for name, experiment in splits.experiments.items():
        role = row[name] or NO_SPLIT
        label = row[splits.task_of(name).label]
        if published:
            why = _published_reason(role)
        elif isinstance(experiment, SplitSubset):
            why = _reason_of_subset(name, experiment, row, splits, counts=counts, releases=releases)
        elif role == NO_SPLIT:
            why = _reason_of_none(experiment, row, splits)
        elif experiment.roles_from and row[experiment.roles_from] == role:
            why = f"inherited from {experiment.roles_from}"
        else:
            why = _reason_of_task(name, label, splits, counts, releases=releases)
        explained.append({"experiment": name, "role": role, "class": label, "why": why})
    return explained


def _reason_of_task(name: str, label: str, splits: Splits, counts: Counts, *, releases: list[str]) -> str:
    ratios = ":".join(str(splits.ratios[part]) for part in ROLES)
    parts = {part: counts.get((name, label, part), 0) for part in ROLES}
    split = ", ".join(f"{images} {part}" for part, images in parts.items())
    kept = "".join(f", roles of {release} kept" for release in releases)
    kept_together = _groups_in_words(splits, "images of one {}", "images that look alike")
    together = f", {kept_together} together" if kept_together else ""
    return f"each class is split {ratios}: of {sum(parts.values())} {label}, {split}{together}{kept}"


def _reason_of_subset(
    name: str, subset: SplitSubset, row: dict[str, Any], splits: Splits, *, counts: Counts, releases: list[str]
) -> str:
    label = row[splits.task_of(name).label]
    role, part = row[name] or NO_SPLIT, row[subset.parent] or NO_SPLIT
    if part == NO_SPLIT:
        return f"no role in {subset.parent}, from which this experiment is drawn"
    drawn, available = counts.get((name, label, part), 0), counts.get((subset.parent, label, part), 0)
    quota = split_counts(subset.images, splits.ratios)[ROLES.index(part)]
    if releases and splits.closed_subsets:
        return f"the subset is closed: {'in it' if role == part else 'not in it'} as in {releases[0]}"
    what = f"{drawn} of the {available} {part} images of {label} in {subset.parent}"
    return f"{'' if role == part else 'not '}drawn: {what}, for {quota} of all classes ({splits.subset})"


def _reason_of_none(task: SplitTask, row: dict[str, Any], splits: Splits) -> str:
    for column, value in task.where.items():
        if row[column] != value:
            return f"its {column} is {row[column]}, not {value}"
    if row[task.label] == NOT_CLASSIFIED:
        return f"its {task.label} is not known"
    among = f" or is none of the {task.largest_classes} largest" if task.largest_classes else ""
    groups = _groups_in_words(splits, "values of {}", "images that do not look alike")
    too_few = f"too few images{f' or {groups}' if groups else ''}"
    return f"{row[task.label]} has {too_few} for three parts{among}"


def _groups_in_words(splits: Splits, by_column: str, by_look: str) -> str:
    """What makes groups in this run, by these words; empty where nothing does."""
    words = [by_column.format(splits.group)] if splits.group else []
    return " and ".join([*words, *([by_look] if splits.duplicates == TOGETHER else [])])


def _published_reason(role: str) -> str:
    return "no role in the source" if role == NO_SPLIT else "as the source has it"


def _are_published(run: Path, splits: Splits) -> bool:
    """Whether the roles are those of the source's own columns."""
    if splits.policy != "auto":
        return splits.policy == "published"
    path = run / VALIDATED
    return path.is_file() and set(splits.experiments) <= set(pq.read_schema(path).names)


def _read_counts(path: Path) -> Counts:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {(row["experiment"], row["class"], row["role"]): int(row["images"]) for row in rows}
