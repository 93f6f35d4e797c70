"""Values of a COCO file, whatever JSON type a label tool writes them in: 7, 7.0 and "7" are one number and one id."""

from __future__ import annotations

import math
import re

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
WHOLE = re.compile(r"(-?\d+)\.0+", re.ASCII)
YES, NO = ("1", "1.0", "true"), ("", "0", "0.0", "false")


def finite_number(value: object) -> float | None:
    """A number, or a number as text; None for all else, also for true, NaN and infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def finite_numbers(values: object) -> list[float] | None:
    """A list of numbers; None where it is no list, or one of them is no number."""
    numbers = [finite_number(value) for value in values] if isinstance(values, list) else [None]
    return None if any(number is None for number in numbers) else [number for number in numbers if number is not None]


def identifier(value: object) -> str | None:
    """An id as text, equal for equal numbers; `001` is another than `1`. None where it is neither number nor text."""
    if isinstance(value, str):
        text = value.strip()
        whole = WHOLE.fullmatch(text)
        return (whole[1] if whole else text) or None
    number = finite_number(value)
    if number is None:
        return None
    return str(int(number)) if isinstance(value, float) and number.is_integer() else str(value)


def truth(value: object) -> bool | None:
    """A flag such as `iscrowd`, false where it is absent; None where it is neither true nor false."""
    if value is None or isinstance(value, bool):
        return bool(value)
    text = value.strip().lower() if isinstance(value, str) else identifier(value)
    return True if text in YES else False if text in NO else None
