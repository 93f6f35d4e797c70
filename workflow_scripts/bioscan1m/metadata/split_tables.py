"""From the validated metadata to one table of roles per experiment, by the policy of the config.

`fresh` applies the rule of splits.py. `published` takes the roles that the source has and holds their counts against
the rule. `auto` is `published` where the source has a column for every experiment, else `fresh`. `extend` applies the
rule to what previous releases leave open: no image of them changes its role.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan1m.errors import InputError
from bioscan1m.metadata.metadata import NO_SPLIT, NOT_CLASSIFIED, SOURCE_COLUMNS, read_header, read_tsv, write_strings
from bioscan1m.metadata.split_rule import ROLES, task_of
from bioscan1m.metadata.split_shortfalls import Shortfall, find_shortfalls, shortfall_table
from bioscan1m.metadata.splits import NO_ROLE, Assignment, Roles, assign_roles, label_places
from bioscan1m.streams import map_in_order
from bioscan1m.tables import read_parquet, write_table

logger = logging.getLogger(__name__)

ROLE_PLACES = {**{role: place for place, role in enumerate(ROLES)}, NO_SPLIT: NO_ROLE, "": NO_ROLE}


def build_splits(
    metadata: str | Path,
    splits: dict[str, Any],
    tables: list[str | Path],
    roles: str | Path,
    counts: str | Path,
    shortfalls: str | Path,
    threads: int,
    previous: Sequence[str | Path] = (),
) -> dict[str, int]:
    """Write one table per experiment, in the order of the config, and those of all roles, counts and shortfalls.

    `previous` are the metadata TSVs of the releases that the policy `extend` builds on, newest first.

    A table has the columns image_file, chunk_number, label and role, and the rows that have a role, in the order of the
    metadata; that of all roles has image_file, a column per experiment, and every row of the metadata. Returns counts
    of rows. Raises InputError where an experiment has the name of a metadata column, or the source lacks the published
    columns or has other words in them.
    """
    experiments = splits["experiments"]
    if clashes := [name for name in experiments if name in {*SOURCE_COLUMNS, *_task_columns(experiments)}]:
        raise InputError(f"splits.experiments: {', '.join(clashes)} is a column of the metadata; choose another name")
    published = _takes_published(metadata, splits)
    table = _read(metadata, experiments, published)
    frame = table.to_pandas()
    by_rule = assign_roles(frame, splits, threads=threads)
    if published:
        assigned = published_roles(frame, experiments, str(metadata))
    elif splits["policy"] == "extend":
        had = {str(file): previous_roles(frame["image_file"], list(experiments), file) for file in previous}
        assigned = assign_roles(frame, splits, had, threads)
        _log_changes(list(had.values()), assigned)
    else:
        assigned = by_rule
    names = table.select(["image_file", "chunk_number"]).combine_chunks()

    tables_of = {
        path: partial(_roles_table, names, assigned[name]) for name, path in zip(experiments, tables, strict=True)
    }
    tables_of[roles] = partial(_all_roles, names["image_file"], assigned)
    list(map_in_order(lambda path: write_strings(path, tables_of[path]()), tables_of, threads))
    compared = compare_counts(assigned, by_rule)
    fallen_short = find_shortfalls(assigned, splits, frame[list(experiments)] if published else None)
    _log(assigned, compared, fallen_short)
    write_table(counts, compared)
    write_table(shortfalls, shortfall_table(fallen_short))
    return {"in": len(frame), "out": int(_has_any_role(assigned).sum())}


def published_roles(frame: pd.DataFrame, experiments: dict[str, Any], source: str) -> dict[str, Assignment]:
    """The roles that the source's own columns give; a row without a label has none."""
    assigned = {}
    for name in experiments:
        roles = _role_places(frame[name], name, source)
        labels = frame[task_of(name, experiments)["label"]]
        chosen = (roles != NO_ROLE) & (labels != NOT_CLASSIFIED)
        classes, places = label_places(labels.where(chosen))
        assigned[name] = Assignment(classes, places, np.where(chosen, roles, NO_ROLE))
    return assigned


def _role_places(words: pd.Series, name: str, source: str | Path) -> np.ndarray:
    """The places in ROLES of a column's words, int64. Raises InputError that names the row of another word."""
    roles = words.map(ROLE_PLACES)
    if roles.isna().any():
        row = np.flatnonzero(roles.isna())[0]
        raise InputError(
            f"{source}: {name} is {words.iloc[row]!r} in row {row + 2}, which is no role; allowed are "
            f"{', '.join(ROLES)} and {NO_SPLIT}. Mend the column, or set splits.policy to fresh."
        )
    return roles.to_numpy(np.int64)


def previous_roles(image_files: pd.Series, experiments: list[str], previous: str | Path) -> Roles:
    """The roles that these images had in a previous release.

    An experiment of which the release has no column is new; an image that it does not have is new too.
    """
    known = [name for name in experiments if name in read_header(previous)]
    release = read_tsv(previous, ["image_file", *known]).to_pandas()
    repeated = release["image_file"][release["image_file"].duplicated()]
    if len(repeated):
        raise InputError(f"{previous}: image_file is not unique: {repeated.iloc[0]!r} is there more than once")
    gone = ~release["image_file"].isin(image_files)
    if gone.any():
        logger.warning("%s: %d images of the previous release have no row any more", previous, gone.sum())
    places = pd.Index(release["image_file"]).get_indexer(image_files)
    roles = {name: np.append(_role_places(release[name], name, previous), NO_ROLE) for name in known}
    return {name: of_release[places] for name, of_release in roles.items()}  # an image that is new is at place -1


def compare_counts(assigned: dict[str, Assignment], by_rule: dict[str, Assignment]) -> pd.DataFrame:
    """Images per experiment, class and role, those that the rule gives, and the difference."""
    images, expected = _count(assigned), _count(by_rule)
    both = pd.concat([images, expected], axis=1, keys=["images", "by_rule"]).fillna(0).astype(int)
    both["difference"] = both["images"] - both["by_rule"]
    order = {name: place for place, name in enumerate([*assigned, *ROLES])}
    return both.reset_index().sort_values(
        ["experiment", "class", "role"],
        key=lambda column: column if column.name == "class" else column.map(order),
        ignore_index=True,
    )


def _takes_published(metadata: str | Path, splits: dict[str, Any]) -> bool:
    names = pq.read_schema(metadata).names
    missing = [name for name in splits["experiments"] if name not in names]
    if splits["policy"] == "published" and missing:
        raise InputError(
            f"splits.policy is published, but the source has no column {', '.join(missing)}; set it to fresh or auto"
        )
    published = splits["policy"] in ("auto", "published") and not missing
    logger.info("policy %s: %s", splits["policy"], "the columns of the source" if published else "split by the rule")
    return published


def _task_columns(experiments: dict[str, Any]) -> list[str]:
    tasks = [task_of(name, experiments) for name in experiments]
    return [column for task in tasks for column in (task["label"], *task.get("where", {}))]


def _read(metadata: str | Path, experiments: dict[str, Any], published: bool) -> pa.Table:
    columns = ["image_file", "chunk_number", *_task_columns(experiments), *(experiments if published else ())]
    return read_parquet(metadata, columns=list(dict.fromkeys(columns)))


def _roles_table(names: pa.Table, assignment: Assignment) -> pa.Table:
    """The rows that have a role; `names` has the image_file and chunk_number of all."""
    rows = np.flatnonzero(assignment.roles != NO_ROLE)
    label = _words(assignment.labels[rows], assignment.classes)
    role = _words(assignment.roles[rows], ROLES)
    return names.take(pa.array(rows)).append_column("label", label).append_column("role", role)


def _all_roles(image_files: pa.ChunkedArray, assigned: dict[str, Assignment]) -> pa.Table:
    """The role of each row in each experiment, no_split where it has none."""
    words = [*ROLES, NO_SPLIT]  # NO_ROLE, which is -1, is the last place
    columns = {name: _words(one.roles % len(words), words) for name, one in assigned.items()}
    return pa.table({"image_file": image_files, **columns})


def _words(places: np.ndarray, words: Sequence[str] | np.ndarray) -> pa.DictionaryArray:
    """The word at each place, without a copy of it per row."""
    return pa.DictionaryArray.from_arrays(places.astype(np.int32), pa.array(words, pa.string()))


def _count(assigned: dict[str, Assignment]) -> pd.Series:
    """Images by experiment, class and role, for classes that have any."""
    images = {}
    for name, assignment in assigned.items():
        counts = assignment.counts
        kept = counts.any(axis=1)
        groups = product([name], assignment.classes[kept], ROLES)
        images |= zip(groups, counts[kept].ravel().tolist(), strict=True)
    groups = pd.MultiIndex.from_tuples(images, names=["experiment", "class", "role"])
    return pd.Series(images.values(), groups, dtype=np.int64)


def _has_any_role(assigned: dict[str, Assignment]) -> np.ndarray:
    return np.any([assignment.roles != NO_ROLE for assignment in assigned.values()], axis=0)


def _log_changes(had: list[Roles], assigned: dict[str, Assignment]) -> None:
    """What became of the roles of the previous releases: none of them changes to another one."""
    for name in dict.fromkeys(chain.from_iterable(had)):
        before = np.any([roles[name] != NO_ROLE for roles in had if name in roles], axis=0)
        now = assigned[name].roles != NO_ROLE
        kept, left, joined = (before & now).sum(), (before & ~now).sum(), (~before & now).sum()
        logger.info("%s: %d images keep their role, %d leave, %d join", name, kept, left, joined)


def _log(assigned: dict[str, Assignment], compared: pd.DataFrame, shortfalls: list[Shortfall]) -> None:
    for name, assignment in assigned.items():
        counts = assignment.counts
        images = ", ".join(f"{count} {role}" for role, count in zip(ROLES, counts.sum(axis=0), strict=True))
        logger.info("%s: %s, of %d classes", name, images, counts.any(axis=1).sum())
        differing = ((compared["experiment"] == name) & (compared["difference"] != 0)).sum()
        if differing:
            logger.warning("%s: %d counts are not those of the rule; see the table of counts", name, differing)
    for shortfall in shortfalls:
        logger.warning("%s", shortfall)
