"""The corners around polygons and run-length masks, as COCO files have them in `segmentation`."""

from __future__ import annotations

from typing import Any, NamedTuple

from bioscan1m.detector.json_values import finite_number, finite_numbers


class Outline(NamedTuple):
    """Corners around polygons or a mask; `frame` is the width and height of the mask, None of polygons."""

    corners: tuple[float, float, float, float]
    frame: tuple[int, int] | None


def outline_of(segmentation: object) -> Outline | None:
    """The corners around a segmentation; None where it has no area or is none that COCO knows."""
    found = _of_mask(segmentation) if isinstance(segmentation, dict) else _of_polygons(segmentation)
    if found is None:
        return None
    x_min, y_min, x_max, y_max = found.corners
    return found if x_max > x_min and y_max > y_min else None


def _of_polygons(polygons: object) -> Outline | None:
    """Of lists x, y, x, y, …; or of one such list."""
    if not isinstance(polygons, list) or not polygons:
        return None
    if not isinstance(polygons[0], list):
        polygons = [polygons]
    points: list[float] = []
    for polygon in polygons:
        numbers = finite_numbers(polygon)
        if numbers is None or len(numbers) % 2:
            return None
        points += numbers
    if not points:
        return None
    return Outline((min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])), None)


def _of_mask(mask: dict[str, Any]) -> Outline | None:
    """Of runs of background and foreground in turn, down the columns of a mask of `size` height and width."""
    size, counts = mask.get("size"), mask.get("counts")
    sides = _whole_numbers(size)
    runs = _compressed_runs(counts) if isinstance(counts, str) else _whole_numbers(counts)
    if sides is None or runs is None or len(sides) != 2 or sum(runs) != sides[0] * sides[1]:
        return None
    height, width = sides
    columns, rows, start = [], [], 0
    for place, run in enumerate(runs):
        if place % 2 and run:
            first, last = divmod(start, height), divmod(start + run - 1, height)
            columns += [first[0], last[0]]
            rows += [first[1], last[1]] if first[0] == last[0] else [0, height - 1]
        start += run
    if not columns:
        return None
    return Outline((min(columns), min(rows), max(columns) + 1, max(rows) + 1), (width, height))


def _whole_numbers(values: object) -> list[int] | None:
    if not isinstance(values, list):
        return None
    numbers = [finite_number(value) for value in values]
    found = [int(number) for number in numbers if number is not None and number >= 0 and number.is_integer()]
    return found if len(found) == len(values) else None


def _compressed_runs(text: str) -> list[int] | None:
    """The runs of COCO's compressed form: 5 bits a letter, from the fourth run on less the last but one."""
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (1 << shift) if bits & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs if not shift and all(run >= 0 for run in runs) else None
