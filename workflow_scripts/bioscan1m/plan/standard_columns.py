"""Columns of other standards under the names of the published metadata: Darwin Core, as GBIF has it, and BOLD.

Ranks and the identifiers of specimens are known in any case: `Family` is `family`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from bioscan1m.foundation.name_matching import SUFFIXES
from bioscan1m.foundation.user_tables import UserTable
from bioscan1m.metadata.table import RANKS

logger = logging.getLogger(__name__)

# Name in a standard (in any case) -> name here. Darwin Core: dwc.tdwg.org/terms; BOLD: its public data packages.
STANDARD_NAMES = {
    "catalognumber": "sampleid",
    "occurrenceid": "processid",
    "scientificname": "name",
    "identification": "name",
    "bin_uri": "uri",
    "nuc": "nucraw",
    "nucleotides": "nucraw",
    "phylum_name": "phylum",
    "class_name": "class",
    "order_name": "order",
    "family_name": "family",
    "subfamily_name": "subfamily",
    "tribe_name": "tribe",
    "genus_name": "genus",
    "species_name": "species",
    **{name: name for name in ("sampleid", "processid", *RANKS)},
}
# Columns that name the image or its address, in the order in which they are looked for.
IMAGE_COLUMNS = ("image_file", "associatedmedia", "image_urls", "filename", "file_name", "file", "image")
ADDRESS = re.compile(r"https?://")
SEVERAL = re.compile(r"\s*[|;]\s*|\s+(?=https?://)")


def standard_name(column: str, columns: Sequence[str]) -> str:
    """The name that a column has among those of a renamed table; unchanged where it is none of a standard."""
    return column if column in columns else STANDARD_NAMES.get(column.casefold(), column)


def rename_standard_columns(table: UserTable) -> UserTable:
    """The table with the columns of other standards renamed, unless a column has the name already; it is logged."""
    taken, names = set(table.columns), {}
    for column in table.columns:
        name = STANDARD_NAMES.get(column.casefold())
        if name is not None and name not in taken:
            names[column] = name
            taken.add(name)
    if names:
        renamed = ", ".join(f"{column} as {name}" for column, name in names.items())
        logger.info("%s: columns are taken for those of the published metadata: %s", table.path, renamed)
    columns = [names.get(column, column) for column in table.columns]
    rows = [(number, {names.get(column, column): cell for column, cell in row.items()}) for number, row in table.rows]
    return UserTable(table.path, columns, rows)


def find_image_column(table: UserTable) -> str | None:
    """The column that names the images by a usual name; None where there is none."""
    by_name = {column.casefold(): column for column in reversed(table.columns)}
    return next((by_name[name] for name in IMAGE_COLUMNS if name in by_name), None)


def image_names(cell: str) -> list[str]:
    """The images that a cell names: paths or addresses, several of them separated by | or ; as in associatedMedia.

    Of an address the path without what follows it, so that its last part is the name of the file. Where only some of
    the parts of paths have the suffix of an image, as in `Apis; female.jpg`, the cell is one name.
    """
    parts = [part for part in SEVERAL.split(cell.strip()) if part]
    with_suffix = {PurePosixPath(part).suffix.lower() in SUFFIXES for part in parts}
    return [_name(cell)] if len(with_suffix) > 1 and not ADDRESS.search(cell) else [_name(part) for part in parts]


def _name(part: str) -> str:
    if ADDRESS.match(part):
        return PurePosixPath(unquote(urlsplit(part).path)).name
    return part.replace("\\", "/")
