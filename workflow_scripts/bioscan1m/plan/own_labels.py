"""A user's table of labels becomes metadata in the published form: one row per image, in the order of the chunks.

A row is found by the image's name without folders; where several rows have that name, the folders before it decide.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

import pyarrow as pa

from bioscan1m.errors import InputError
from bioscan1m.metadata.metadata import NOT_CLASSIFIED, RANKS, SOURCE_COLUMNS, read_tsv, write_tsv
from bioscan1m.plan.own_images import ImageChunk

logger = logging.getLogger(__name__)

IDENTIFIERS = ("sampleid", "processid", "uri", "nucraw")
# What is known without a table; a user's columns of these names are left out.
FILLED_IN = ("image_file", "chunk_number")


@dataclass(frozen=True)
class LabelRow:
    """One row of the user's table: its number (the header is row 1), the image as it names it, and its labels."""

    number: int
    image: str
    labels: dict[str, str]


@dataclass(frozen=True)
class LabelTable:
    """The user's table: its path, the columns that are labels, and the rows in order."""

    path: Path
    columns: tuple[str, ...]
    rows: list[LabelRow]


def read_labels(path: Path, image_column: str, label_columns: list[str] | None) -> LabelTable:
    """Read a tab-separated table; without `label_columns`, those columns are taken that the published metadata has too.

    Raises InputError where the table cannot be read, or lacks a column that is named or any label at all.
    """
    table = read_tsv(path)
    columns = _label_columns(path, table.column_names, image_column, label_columns)
    cells = [{name: cell.strip() for name, cell in row.items()} for row in table.to_pylist()]
    rows = [
        LabelRow(number, row[image_column].replace("\\", "/"), {name: row[name] for name in columns})
        for number, row in enumerate(cells, 2)
    ]
    return LabelTable(path, columns, rows)


def write_own_metadata(chunks: list[ImageChunk], labels: LabelTable | None, run: Path) -> None:
    """Write metadata.tsv to the run's folder: the 16 published source columns, then further columns of labels.

    What is not known is `not_classified`, of identifiers and barcodes empty. Images without a row and rows without an
    image are logged and listed in unmatched.tsv. Raises InputError where two rows name the same image.
    """
    labels = labels or LabelTable(Path(), (), [])
    further = tuple(column for column in labels.columns if column not in SOURCE_COLUMNS)
    rows_of_images = _match(chunks, labels)
    rows = [
        _metadata_row(PurePath(image).name, chunk.name, rows_of_images.get(image), further)
        for chunk in chunks
        for image in chunk.images
    ]
    _write(run / "metadata.tsv", (*SOURCE_COLUMNS, *further), rows)
    logger.info("%s: %d rows; %s", run / "metadata.tsv", len(rows), _count_labels(labels.columns, rows_of_images))
    _report_unmatched(chunks, labels, rows_of_images, run / "unmatched.tsv")


def _label_columns(path: Path, header: list[str], image_column: str, wanted: list[str] | None) -> tuple[str, ...]:
    missing = [column for column in (image_column, *(wanted or [])) if column not in header]
    if missing:
        raise InputError(
            f"{path}: no column {', '.join(missing)}; there are: {', '.join(header) or 'none'} (is it tab-separated?). "
            "Name the right ones by --image-column and --label-columns"
        )
    known = [column for column in header if column in SOURCE_COLUMNS] if wanted is None else wanted
    columns = tuple(column for column in known if column not in (image_column, *FILLED_IN))
    if not columns:
        raise InputError(f"{path}: no column of labels; name those that are by --label-columns: {', '.join(header)}")
    return columns


def _match(chunks: list[ImageChunk], labels: LabelTable) -> dict[str, LabelRow]:
    """Path of an image in its chunk -> its row, for those that have one."""
    rows_of_names: dict[str, list[LabelRow]] = defaultdict(list)
    for row in labels.rows:
        rows_of_names[PurePath(row.image).name].append(row)
    matched = {}
    for image in (image for chunk in chunks for image in chunk.images):
        rows = rows_of_names.get(PurePath(image).name, [])
        if len(rows) > 1:
            rows = [row for row in rows if _is_end_of(image, row.image) or _is_end_of(row.image, image)] or rows
        if len(rows) > 1:
            numbers = " and ".join(str(row.number) for row in rows)
            raise InputError(f"{labels.path}: rows {numbers} name the same image, {image}; keep one of them")
        if rows:
            matched[image] = rows[0]
    return matched


def _is_end_of(end: str, path: str) -> bool:
    """Whether the last parts of a path are these."""
    return f"/{path}".endswith(f"/{end}")


def _metadata_row(image_file: str, chunk: str, row: LabelRow | None, further: tuple[str, ...]) -> dict[str, str]:
    labels = row.labels if row else {}
    taxa = {rank: labels.get(rank) or NOT_CLASSIFIED for rank in RANKS}
    finest = [NOT_CLASSIFIED, *(taxon for taxon in taxa.values() if taxon != NOT_CLASSIFIED)][-1]
    return {
        **{column: labels.get(column, "") for column in IDENTIFIERS},
        "name": labels.get("name") or finest,
        **taxa,
        **{column: labels.get(column) or NOT_CLASSIFIED for column in further},
        "image_file": image_file,
        "chunk_number": chunk,
    }


def _count_labels(columns: Iterable[str], rows_of_images: dict[str, LabelRow]) -> str:
    counts = {
        column: sum(row.labels[column] not in ("", NOT_CLASSIFIED) for row in rows_of_images.values())
        for column in columns
    }
    return "images with a label: " + (", ".join(f"{column} {count}" for column, count in counts.items()) or "none")


def _report_unmatched(
    chunks: list[ImageChunk], labels: LabelTable, rows_of_images: dict[str, LabelRow], path: Path
) -> None:
    """List what has no counterpart, where there is a table of labels and something to list."""
    path.unlink(missing_ok=True)
    used = {row.number for row in rows_of_images.values()}
    problems = {
        "image without row": [name for chunk in chunks for name in chunk.images if name not in rows_of_images],
        "row without image": [row.image for row in labels.rows if row.number not in used],
    }
    if not labels.rows or not any(problems.values()):
        return
    for problem, names in problems.items():
        if names:
            logger.warning("%s: %d, the first: %s; all are listed in %s", problem, len(names), names[0], path)
    rows = [{"image_file": name, "problem": problem} for problem, names in problems.items() for name in names]
    _write(path, ("image_file", "problem"), rows)


def _write(path: Path, columns: Iterable[str], rows: list[dict[str, str]]) -> None:
    write_tsv(path, pa.Table.from_pylist(rows, pa.schema([(column, pa.string()) for column in columns])))
