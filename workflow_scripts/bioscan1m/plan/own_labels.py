"""A user's table of labels becomes metadata in the published form: one row per image, in the order of the chunks.

All columns of the table are kept; those that are labels become experiments.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.name_matching import match_names, other_spellings
from bioscan1m.foundation.user_tables import Dialect, read_user_table
from bioscan1m.metadata.relabelling import Relabelling
from bioscan1m.metadata.table import NOT_CLASSIFIED, RANKS, SOURCE_COLUMNS, TAXA, write_tsv
from bioscan1m.plan.folder_labels import FolderLabels
from bioscan1m.plan.own_images import ImageChunk
from bioscan1m.plan.standard_columns import (
    IMAGE_COLUMNS,
    find_image_column,
    image_names,
    rename_standard_columns,
    standard_name,
)

logger = logging.getLogger(__name__)

IDENTIFIERS = ("sampleid", "processid", "uri", "nucraw")
# What is known without a table; a user's columns of these names are left out.
FILLED_IN = ("image_file", "chunk_number")
READ_FROM_FILE = Dialect()


@dataclass(frozen=True)
class LabelTable:
    """The user's table with the columns that are labels; `rows` are the cells by column, with the image's name."""

    path: Path
    columns: tuple[str, ...]
    others: tuple[str, ...]
    rows: list[tuple[str, dict[str, str]]]


NO_LABELS = LabelTable(Path(), (), (), [])
NO_FOLDERS = FolderLabels((), {}, [])


def read_labels(
    path: Path,
    image_column: str | None = None,
    label_columns: list[str] | None = None,
    missing: Collection[str] | None = None,
    dialect: Dialect = READ_FROM_FILE,
    required: bool = True,
) -> LabelTable:
    """Read a table of one row per image.

    Args:
        path: CSV in any dialect, or .xlsx.
        image_column: the column that names the image; by default one with a usual name for it.
        label_columns: the columns of labels; by default the ranks that the published metadata has too.
        missing: values that stand for no label in any of these columns; by default NA in the columns of ranks.
        dialect: how the table is written, where the user states it.
        required: whether the table must have a column of labels.

    Returns:
        The table; a missing label is empty.

    Raises:
        InputError: the table cannot be read, or lacks a column that is named or any label at all.
    """
    table = rename_standard_columns(read_user_table(path, dialect))
    if image_column:
        image_column = standard_name(image_column, table.columns)
    image_column = image_column or find_image_column(table) or IMAGE_COLUMNS[0]
    wanted = label_columns and [standard_name(column, table.columns) for column in label_columns]
    columns = _label_columns(path, table.columns, image_column, wanted)
    if required and not columns:
        named = ", ".join(table.columns)
        raise InputError(f"{path}: no column of labels; name those that are by --label-columns: {named}")
    others = tuple(name for name in table.columns if name not in (*columns, image_column, *FILLED_IN))
    for column in (*columns, *(name for name in others if name in TAXA)):
        _empty_missing(path, column, [cells for _, cells in table.rows], missing)
    rows = [(name, dict(cells)) for _, cells in table.rows for name in image_names(cells[image_column])]
    return LabelTable(path, columns, others, rows)


def _empty_missing(path: Path, column: str, rows: list[dict[str, str]], missing: Collection[str] | None) -> None:
    """Empty the cells of a column of labels or taxa that stand for none, and log how many these are."""
    relabelling = Relabelling(None if missing is None else tuple(missing))
    words = relabelling.missing_in(RANKS[-1] if column in TAXA else column, [column])  # `name` is one of the ranks'
    found = [cells for cells in rows if cells[column] in words]
    for cells in found:
        cells[column] = ""
    if found:
        logger.warning("%s: %d of %d rows have no %s (%s)", path, len(found), len(rows), column, " or ".join(words))


def write_own_metadata(
    chunks: list[ImageChunk], labels: LabelTable | None, run: Path, folders: FolderLabels = NO_FOLDERS
) -> None:
    """Write metadata.tsv to the run's folder: the 16 published source columns, then the further columns of the table.

    A taxon or label that is not known is `not_classified`. Images without a row, rows without an image and images at
    another depth than the folders with labels are logged and listed in unmatched.tsv.

    Args:
        chunks: the images.
        labels: the table; None where there is none.
        run: the folder of the run.
        folders: the labels from folders.

    Raises:
        InputError: names are ambiguous, no row names an image, or table and folders have a column of one name.
    """
    labels = labels or NO_LABELS
    if both := [column for column in folders.columns if column in (*labels.columns, *labels.others)]:
        raise InputError(
            f"{labels.path}: has a column {', '.join(both)}, which --labels-from-folders gives too; keep one"
        )
    columns = (*labels.columns, *folders.columns)
    further = tuple(column for column in (*columns, *labels.others) if column not in SOURCE_COLUMNS)
    images = [path for chunk in chunks for path in chunk.paths]
    of_table = match_names(labels.path, images, labels.rows)
    cells = {image: of_table.get(image, {}) | folders.cells.get(image, {}) for image in images}
    rows = [
        own_metadata_row(key, chunk.name, cells[path], columns, further=further)
        for chunk in chunks
        for path, key in zip(chunk.paths, chunk.keys, strict=True)
    ]
    _write(run / "metadata.tsv", (*SOURCE_COLUMNS, *further), rows)
    logger.info("%s: %d rows; %s", run / "metadata.tsv", len(rows), _count_labels(columns, cells))
    _report_unmatched(images, labels, of_table, folders.strays, run / "unmatched.tsv")


def _label_columns(path: Path, header: list[str], image_column: str, wanted: list[str] | None) -> tuple[str, ...]:
    missing = [column for column in (image_column, *(wanted or [])) if column not in header]
    if missing:
        raise InputError(
            f"{path}: no column {', '.join(missing)}; there are: {', '.join(header)}. Name the right ones by "
            "--image-column and --label-columns"
        )
    columns = tuple(column for column in header if column in RANKS) if wanted is None else tuple(wanted)
    return tuple(column for column in columns if column not in (image_column, *FILLED_IN))


def own_metadata_row(
    image_file: str, chunk: str, cells: dict[str, str], labels: Collection[str], *, further: Iterable[str]
) -> dict[str, str]:
    """The row of one image in metadata.tsv.

    Args:
        image_file: its key.
        chunk: the name of its chunk.
        cells: its row of the user's table, empty where it has none.
        labels: the columns that are labels.
        further: the columns after those of the source metadata.

    Returns:
        The cells by column; a taxon or label that is not known is `not_classified`.
    """
    taxa = {rank: cells.get(rank) or NOT_CLASSIFIED for rank in RANKS}
    finest = [NOT_CLASSIFIED, *(taxon for taxon in taxa.values() if taxon != NOT_CLASSIFIED)][-1]
    return {
        **{column: cells.get(column, "") for column in IDENTIFIERS},
        "name": cells.get("name") or finest,
        **taxa,
        **{column: cells.get(column) or (NOT_CLASSIFIED if column in labels else "") for column in further},
        "image_file": image_file,
        "chunk_number": chunk,
    }


def _count_labels(columns: Iterable[str], cells_of_images: dict[str, dict[str, str]]) -> str:
    rows = cells_of_images.values()
    counts = {column: sum(cells.get(column, "") not in ("", NOT_CLASSIFIED) for cells in rows) for column in columns}
    return "images with a label: " + (", ".join(f"{column} {count}" for column, count in counts.items()) or "none")


def _report_unmatched(
    images: list[str], labels: LabelTable, of_table: dict[str, dict[str, str]], strays: list[str], path: Path
) -> None:
    """List what has no counterpart, with the other spellings that the name of an image in a zip may have."""
    path.unlink(missing_ok=True)
    used = {id(cells) for cells in of_table.values()}
    problems = {
        "image without row": [image for image in images if labels.rows and image not in of_table],
        "row without image": [name for name, cells in labels.rows if id(cells) not in used],
        "image in fewer or more folders than have labels": strays,
    }
    if not any(problems.values()):
        return
    for problem, names in problems.items():
        if names:
            logger.warning("%s: %d, the first: %s; all are listed in %s", problem, len(names), names[0], path)
    rows = [
        {"image_file": name, "problem": problem, "other_spellings": ", ".join(other_spellings(name))}
        for problem, names in problems.items()
        for name in names
    ]
    _write(path, ("image_file", "problem", "other_spellings"), rows)


def _write(path: Path, columns: Iterable[str], rows: list[dict[str, str]]) -> None:
    write_tsv(path, pa.Table.from_pylist(rows, pa.schema([(column, pa.string()) for column in columns])))
