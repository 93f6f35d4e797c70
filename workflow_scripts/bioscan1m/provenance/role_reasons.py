"""Why an image has the role that it has: the rule of splits.py, told for one row with the counts of the run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bioscan1m.metadata.metadata import NO_SPLIT, NOT_CLASSIFIED
from bioscan1m.metadata.split_rule import ROLES, split_counts, task_of
from bioscan1m.plan.configuration import previous_releases
from bioscan1m.provenance.records import Record

COUNTS, VALIDATED = "results/splits/counts.tsv", "results/metadata/validated.parquet"

Counts = dict[tuple[str, str, str], int]  # images by experiment, class and role


def explain_roles(
    run: Path, row: dict[str, Any], made: dict[str, tuple[Record, dict[str, Any]]]
) -> list[dict[str, str]]:
    """Experiment, role, class and reason for each experiment of the run; `row` is the image's in the metadata."""
    if COUNTS not in made:
        return []
    splits = made[COUNTS][0].parameters["splits"]
    counts, published = _read_counts(run / COUNTS), _are_published(run, splits)
    explained = []
    for name in splits["experiments"]:
        role = row[name] or NO_SPLIT
        label = row[task_of(name, splits["experiments"])["label"]]
        why = _published_reason(role) if published else _reason(name, role, label, row, splits, counts)
        explained.append({"experiment": name, "role": role, "class": label, "why": why})
    return explained


def _reason(name: str, role: str, label: str, row: dict[str, Any], splits: dict[str, Any], counts: Counts) -> str:
    experiment = splits["experiments"][name]
    if "parent" in experiment:
        return _reason_of_subset(name, role, label, row, splits, counts)
    if role == NO_SPLIT:
        return _reason_of_none(experiment, label, row)
    inherits = experiment.get("roles_from")
    if inherits and row[inherits] == role:
        return f"inherited from {inherits}"
    ratios = ":".join(str(splits["ratios"][part]) for part in ROLES)
    parts = {part: counts.get((name, label, part), 0) for part in ROLES}
    split = ", ".join(f"{images} {part}" for part, images in parts.items())
    kept = "".join(f", roles of {release} kept" for release in previous_releases(splits))
    return f"each class is split {ratios}: of {sum(parts.values())} {label}, {split}{kept}"


def _reason_of_subset(
    name: str, role: str, label: str, row: dict[str, Any], splits: dict[str, Any], counts: Counts
) -> str:
    experiment = splits["experiments"][name]
    parent = experiment["parent"]
    part = row[parent] or NO_SPLIT
    if part == NO_SPLIT:
        return f"no role in {parent}, from which this experiment is drawn"
    drawn, available = counts.get((name, label, part), 0), counts.get((parent, label, part), 0)
    quota = split_counts(experiment["images"], splits["ratios"])[ROLES.index(part)]
    what = f"{drawn} of the {available} {part} images of {label} in {parent}"
    return f"{'' if role == part else 'not '}drawn: {what}, for {quota} of all classes ({splits['subset']})"


def _reason_of_none(experiment: dict[str, Any], label: str, row: dict[str, Any]) -> str:
    for column, value in experiment.get("where", {}).items():
        if row[column] != value:
            return f"its {column} is {row[column]}, not {value}"
    if label == NOT_CLASSIFIED:
        return f"its {experiment['label']} is not known"
    largest = experiment.get("largest_classes")
    among = f" or is none of the {largest} largest" if largest else ""
    return f"{label} has too few images for three parts{among}"


def _published_reason(role: str) -> str:
    return "no role in the source" if role == NO_SPLIT else "as the source has it"


def _are_published(run: Path, splits: dict[str, Any]) -> bool:
    """Whether the roles are those of the source's own columns."""
    if splits["policy"] != "auto":
        return splits["policy"] == "published"
    path = run / VALIDATED
    return path.is_file() and set(splits["experiments"]) <= set(pq.read_schema(path).names)


def _read_counts(path: Path) -> Counts:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {(row["experiment"], row["class"], row["role"]): int(row["images"]) for row in rows}
