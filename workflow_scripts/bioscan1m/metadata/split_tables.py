"""From the validated metadata to one table of roles per experiment, by the policy of the config.

`fresh` applies the rule of splits.py. `published` takes the roles that the source has and compares their counts with
those of the rule. `auto` is `published` where the source has a column for every experiment, else `fresh`. `extend`
applies the rule to what previous releases leave open: no image of them moves between training, validation and test; it
may leave a subset.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, product
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.foundation.tables import read_parquet, write_table
from bioscan1m.metadata.duplicates import NEAR_DUPLICATE, read_duplicates
from bioscan1m.metadata.split_groups import Groups
from bioscan1m.metadata.split_rule import NO_ROLE, ROLES
from bioscan1m.metadata.split_settings import TOGETHER, Splits
from bioscan1m.metadata.split_shortfalls import LEFT, Shortfall, find_shortfalls, shortfall_table
from bioscan1m.metadata.splits import Assignment, Roles, assign_roles, label_places
from bioscan1m.metadata.table import NO_SPLIT, NOT_CLASSIFIED, SOURCE_COLUMNS, read_header, read_tsv, write_strings

logger = logging.getLogger(__name__)

ROLE_PLACES = {**{role: place for place, role in enumerate(ROLES)}, NO_SPLIT: NO_ROLE, "": NO_ROLE}


def build_splits(
    metadata: str | Path,
    splits: Splits,
    tables: list[str | Path],
    roles: str | Path,
    counts: str | Path,
    shortfalls: str | Path,
    threads: int,
    previous: Sequence[str | Path] = (),
    duplicates: str | Path | None = None,
) -> dict[str, int]:
    """Give every row its role in every experiment, and write the tables of them.

    Args:
        metadata: The validated metadata, Parquet.
        splits: The policy, the experiments and how their classes are split.
        tables: The files of the experiments, in the order of `splits`. Each gets the columns image_file, chunk_number,
            label and role, and the rows that have a role, in the order of the metadata.
        roles: The file that gets image_file, one column of roles per experiment, and every row of the metadata.
        counts: The file that gets the images of each class and role, beside those that the rule gives.
        shortfalls: The file that gets what the rule could not give.
        threads: The number of experiments assigned, and of files written, at the same time.
        previous: The metadata TSVs of the releases that the policy `extend` builds on, newest first.
        duplicates: The table of images that have copies, which `splits` may keep together; None without one.

    Returns:
        The count of rows, and of those that have a role in any experiment.

    Raises:
        InputError: An experiment has the name of a metadata column, or the source or a release lacks the columns of
            roles or has other words in them.
    """
    _refuse_names_of_columns(splits)
    published = _takes_published(metadata, splits)
    table = _read(metadata, splits, published)
    frame = table.to_pandas()
    left: list[Shortfall] = []
    by_rule = assign_roles(frame, replace(splits, group=None, duplicates=None), threads=threads)
    copies = _copies(frame, splits, duplicates)
    if published:
        assigned = published_roles(frame, splits, metadata)
    elif splits.policy == "extend":
        assigned, left = _extend(frame, splits, previous, threads, copies)
    else:
        assigned = assign_roles(frame, splits, threads=threads, copies=copies) if splits.by_groups else by_rule
    _write_roles(table.select(["image_file", "chunk_number"]), assigned, tables, roles=roles, threads=threads)
    compared = compare_counts(assigned, by_rule)
    fallen_short = find_shortfalls(assigned, splits, frame[list(splits.experiments)] if published else None) + left
    _log(assigned, compared, fallen_short)
    write_table(counts, compared)
    write_table(shortfalls, shortfall_table(fallen_short))
    has_role = np.any([assignment.roles != NO_ROLE for assignment in assigned.values()], axis=0)
    return {"in": len(frame), "out": int(has_role.sum())}


def published_roles(frame: pd.DataFrame, splits: Splits, source: str | Path) -> dict[str, Assignment]:
    """The roles that the columns of the source give; a row without a label has none.

    Args:
        frame: The rows, with the columns of the experiments and of their labels.
        splits: The experiments.
        source: The file that the rows come from, for messages.
    """
    assigned = {}
    for name in splits.experiments:
        roles = _role_places(frame[name], name, source)
        labels = frame[splits.task_of(name).label]
        chosen = (roles != NO_ROLE) & (labels != NOT_CLASSIFIED)
        classes, places = label_places(labels.where(chosen))
        assigned[name] = Assignment(classes, places, np.where(chosen, roles, NO_ROLE))
        if splits.group:
            Groups(frame, splits.group).roles(assigned[name].roles, f"the column {name} of the source")
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

    Args:
        image_files: The images of the N rows.
        experiments: The names of the experiments.
        previous: The metadata TSV of the release.

    Returns:
        The roles (N,) in each experiment of which the release has a column; NO_ROLE for an image that it does not have.

    Raises:
        InputError: The release has no column of roles, none of the images, an image twice, or a word that is no role.
    """
    known = [name for name in experiments if name in read_header(previous)]
    if experiments and not known:
        raise InputError(
            f"{previous}: no release, for it has no column of roles ({', '.join(experiments)}), separated by tabs; "
            "splits.previous names a copy of results/metadata/BIOSCAN_Insect_Dataset_metadata.tsv"
        )
    release = read_tsv(previous, ["image_file", *known]).to_pandas()
    repeated = release["image_file"][release["image_file"].duplicated()]
    if len(repeated):
        raise InputError(f"{previous}: image_file is not unique: {repeated.iloc[0]!r} is there more than once")
    gone = ~release["image_file"].isin(image_files)
    if gone.all() and len(image_files):
        raise InputError(f"{previous}: no release of these images: none of its {len(gone)} is in the metadata")
    if gone.any():
        logger.warning("%s: %d images of the previous release have no row any more", previous, gone.sum())
    places = pd.Index(release["image_file"]).get_indexer(image_files)
    in_release = places >= 0
    roles = {name: np.full(len(image_files), NO_ROLE) for name in known}
    for name in known:
        roles[name][in_release] = _role_places(release[name], name, previous)[places[in_release]]
    return roles


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


def _refuse_names_of_columns(splits: Splits) -> None:
    if clashes := [name for name in splits.experiments if name in {*SOURCE_COLUMNS, *_task_columns(splits)}]:
        raise InputError(f"splits.experiments: {', '.join(clashes)} is a column of the metadata; choose another name")


def _takes_published(metadata: str | Path, splits: Splits) -> bool:
    names = pq.read_schema(metadata).names
    missing = [name for name in splits.experiments if name not in names]
    if splits.policy == "published" and missing:
        raise InputError(
            f"splits.policy is published, but the source has no column {', '.join(missing)}; set it to fresh or auto"
        )
    published = splits.policy in ("auto", "published") and not missing
    if published and splits.duplicates == TOGETHER:
        raise InputError(
            "splits.duplicates is together, but the roles are those of the source, which are not changed: set it to "
            "count, or split anew with splits.policy fresh"
        )
    logger.info("policy %s: %s", splits.policy, "the columns of the source" if published else "split by the rule")
    return published


def _task_columns(splits: Splits) -> list[str]:
    return [column for name in splits.experiments for column in splits.task_of(name).columns]


def _read(metadata: str | Path, splits: Splits, published: bool) -> pa.Table:
    columns = ["image_file", "chunk_number", *_task_columns(splits), *(splits.experiments if published else ())]
    return read_parquet(metadata, columns=list(dict.fromkeys([*columns, *filter(None, [splits.group])])))


def _copies(frame: pd.DataFrame, splits: Splits, duplicates: str | Path | None) -> pd.Series | None:
    """For each row the first of the images that look alike, empty for none; None where they may lie apart."""
    if duplicates is None or splits.duplicates != TOGETHER:
        return None
    return read_duplicates(duplicates, frame["image_file"])[NEAR_DUPLICATE]


def _extend(
    frame: pd.DataFrame, splits: Splits, previous: Sequence[str | Path], threads: int, copies: pd.Series | None
) -> tuple[dict[str, Assignment], list[Shortfall]]:
    """The roles by the rule, where the rows of the previous releases retain theirs; and how many lost theirs."""
    had = {str(file): previous_roles(frame["image_file"], list(splits.experiments), file) for file in previous}
    assigned = assign_roles(frame, splits, had, threads, copies)
    return assigned, _left(list(had.values()), assigned)


def _write_roles(
    names: pa.Table,
    assigned: dict[str, Assignment],
    tables: list[str | Path],
    *,
    roles: str | Path,
    threads: int,
) -> None:
    """Write the table of each experiment and that of all roles; `names` has image_file and chunk_number of all rows."""
    names = names.combine_chunks()
    assignments = dict(zip(tables, assigned.values(), strict=True))

    def write(path: str | Path) -> None:
        of_one = assignments.get(path)
        write_strings(path, _roles_table(names, of_one) if of_one else _all_roles(names["image_file"], assigned))

    list(map_in_order(write, [*tables, roles], threads))


def _roles_table(names: pa.Table, assignment: Assignment) -> pa.Table:
    """The rows that have a role; `names` has the image_file and chunk_number of all."""
    rows = np.flatnonzero(assignment.roles != NO_ROLE)
    label = _words(assignment.labels[rows], assignment.classes)
    role = _words(assignment.roles[rows], ROLES)
    return names.take(pa.array(rows)).append_column("label", label).append_column("role", role)


def _all_roles(image_files: pa.ChunkedArray, assigned: dict[str, Assignment]) -> pa.Table:
    """The role of each row in each experiment, no_split where it has none."""
    columns = {
        name: _words(np.where(one.roles == NO_ROLE, len(ROLES), one.roles), [*ROLES, NO_SPLIT])
        for name, one in assigned.items()
    }
    return pa.table({"image_file": image_files, **columns})


def _words(places: np.ndarray, words: Sequence[str] | np.ndarray) -> pa.DictionaryArray:
    """The word at each place, without a copy of it per row."""
    return pa.DictionaryArray.from_arrays(places.astype(np.int32), pa.array(words, pa.string()))


def _count(assigned: dict[str, Assignment]) -> pd.Series:
    """Images by experiment, class and role, for classes that have any."""
    images: dict[tuple[str, str, str], int] = {}
    for name, assignment in assigned.items():
        has_images = assignment.counts.any(axis=1)
        groups = product([name], assignment.classes[has_images], ROLES)
        images |= zip(groups, assignment.counts[has_images].ravel().tolist(), strict=True)
    index = pd.MultiIndex.from_tuples(images, names=["experiment", "class", "role"])
    return pd.Series(images.values(), index, dtype=np.int64)


def _left(had: list[Roles], assigned: dict[str, Assignment]) -> list[Shortfall]:
    """How many images of the previous releases have left each experiment, of how many."""
    found = []
    for name in dict.fromkeys(chain.from_iterable(had)):
        before = np.any([roles[name] != NO_ROLE for roles in had if name in roles], axis=0)
        now = assigned[name].roles != NO_ROLE
        retained, left = int((before & now).sum()), int((before & ~now).sum())
        logger.info("%s: %d images keep their role, %d leave, %d join", name, retained, left, (~before & now).sum())
        if left:
            found.append(Shortfall(name, LEFT, retained, retained + left))
    return found


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
