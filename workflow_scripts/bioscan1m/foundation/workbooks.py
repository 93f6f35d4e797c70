"""Excel workbooks (.xlsx) as rows of text: the first sheet that has any, of hidden ones only where no other has."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bioscan1m.foundation.errors import InputError

logger = logging.getLogger(__name__)

REMEDY = "open the file in Excel or LibreOffice and save it there, or save it as CSV"
UNMERGE = "unmerge them in Excel or LibreOffice and write the value into each cell that it is meant for"

Sheet = list[tuple[Any, ...]]  # rows of openpyxl's cells


def cells_of_workbook(path: Path, data: bytes) -> tuple[list[tuple[int, list[str]]], list[str], str]:
    """The rows of the first sheet with any.

    Args:
        path: the file, for messages.
        data: its bytes.

    Returns:
        The rows with their numbers, all of the length of the longest; the faults, which are merged cells, and cells
        whose formula has no value; and the name of the sheet in words.

    Raises:
        InputError: the data are no workbook, or an empty one.
    """
    formulas = {title: rows for title, rows in _sheets(path, data, values=False).items() if _has_cells(rows)}
    if not formulas:
        raise InputError(f"{path}: the workbook is empty")
    title = next(iter(formulas))
    if len(formulas) > 1:
        logger.warning("%s: only the sheet %s is read, of %s", path, title, ", ".join(formulas))
    rows = _sheets(path, data, values=True)[title]
    faults = [f"cell {cell}: the formula there has no value in the file" for cell in _unknown(formulas[title], rows)]
    faults[:1] = [f"{fault}; {REMEDY}" for fault in faults[:1]]
    faults = [f"cells {area} are merged; {UNMERGE}" for area in _merged(path, data, title)] + faults
    texts = [[_text(cell) for cell in row] for row in rows]
    width = max((place for row in texts for place, text in enumerate(row, 1) if text), default=0)
    cells = [(number, (row + [""] * width)[:width]) for number, row in enumerate(texts, 1)]
    return cells, faults, f"Excel, sheet {title}"


def _sheets(path: Path, data: bytes, *, values: bool) -> dict[str, Sheet]:
    """The rows of all sheets by their titles, those of hidden ones last.

    Of a formula the value, as a program has computed it, or the formula.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise InputError(f"{path}: .xlsx is read where openpyxl is installed; install it, or save as CSV") from None
    with _refusing_damage(path):
        workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=values)
        sheets = sorted(workbook.worksheets, key=lambda sheet: sheet.sheet_state != "visible")
        for sheet in sheets:
            sheet.reset_dimensions()  # some programs state fewer cells than there are, and the others were passed over
        return {sheet.title: list(sheet.iter_rows()) for sheet in sheets}


@contextmanager
def _refusing_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # openpyxl raises nearly anything on a damaged file
        raise InputError(f"{path}: no Excel workbook ({error}); save the table as .xlsx or as CSV") from None


def _has_cells(rows: Sheet) -> bool:
    return any(cell.value not in (None, "") for row in rows for cell in row)


def _merged(path: Path, data: bytes, title: str) -> list[str]:
    """The merged areas of a sheet that have a value, such as B2:B4: only their first cell has it in the file.

    One in a row that has nothing else is a title.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        if not any(b"mergeCell" in parts.read(name) for name in parts.namelist() if name.endswith(".xml")):
            return []  # to read a workbook with its merged areas takes far more memory
    from openpyxl import load_workbook

    with _refusing_damage(path):
        sheet = load_workbook(io.BytesIO(data))[title]
        areas = sorted(sheet.merged_cells.ranges, key=lambda area: (area.min_row, area.min_col))
        values = [sum(cell.value not in (None, "") for cell in row) for row in sheet.iter_rows()]
        areas = [area for area in areas if sheet.cell(area.min_row, area.min_col).value not in (None, "")]
        return [area.coord for area in areas if area.min_row < area.max_row or values[area.min_row - 1] > 1]


def _unknown(formulas: Sheet, values: Sheet) -> Iterator[str]:
    """The cells of a sheet, such as C2, whose formula has no value; an empty text is one."""
    for row, row_of_values in zip(formulas, values, strict=True):
        for cell, known in zip(row, row_of_values, strict=True):
            if cell.data_type == "f" and known.value is None and known.data_type == "n":
                yield cell.coordinate


def _text(cell: Any) -> str:
    """A cell as it is shown: whole numbers without a point and with their leading zeros, nothing for an empty one."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    digits = len(cell.number_format) if set(cell.number_format) == {"0"} and type(value) is int else 0
    return str(value).zfill(digits)
