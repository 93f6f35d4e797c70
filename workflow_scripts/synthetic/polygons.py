"""The outlines of a mask as COCO polygons.

The boundary between pixels is followed edge by edge with the specimen on the right hand, so that the polygons cover
exactly the pixels of the mask and their extent is exactly its box.
"""

from __future__ import annotations

import numpy as np

Point = tuple[int, int]


def outlines(mask: np.ndarray) -> list[list[float]]:
    """Outer outlines of a mask (height, width) bool, each as x1, y1, x2, y2, ... in pixels; holes are left out."""
    follows = _boundary(mask)
    polygons = []
    while follows:
        loop = _corners(_follow(follows))
        if _signed_area(loop) > 0:
            polygons.append(loop.astype(float).ravel().tolist())
    return polygons


def _boundary(mask: np.ndarray) -> dict[Point, list[Point]]:
    """For each start of a boundary edge the ends of the edges there; pixels lie to the right of their edges."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    follows: dict[Point, list[Point]] = {}
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),  # neighbour above: its edge runs to the right
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    )
    for neighbour, start, end in sides:
        pixels = np.argwhere(inside & ~neighbour)[:, ::-1]
        for first, second in zip((pixels + start).tolist(), (pixels + end).tolist(), strict=True):
            follows.setdefault(tuple(first), []).append(tuple(second))
    return follows


def _follow(follows: dict[Point, list[Point]]) -> np.ndarray:
    """Take one closed loop out of the edges; its points (N, 2) in order."""
    start = point = next(iter(follows))
    loop = []
    while point in follows:
        loop.append(point)
        ends = follows[point]
        following = ends.pop()
        if not ends:
            del follows[point]
        point = following
        if point == start:
            break
    return np.array(loop)


def _corners(loop: np.ndarray) -> np.ndarray:
    """The points of the loop at which its direction changes."""
    step = np.roll(loop, -1, axis=0) - loop
    return loop[(step != np.roll(step, 1, axis=0)).any(axis=1)]


def _signed_area(loop: np.ndarray) -> float:
    """Shoelace formula; positive for an outer outline, since y points down and pixels lie to the right."""
    x, y = loop.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)
