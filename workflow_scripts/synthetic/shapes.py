"""The few geometric figures that every insect is drawn from.

An insect is a list of filled polygons, painted in order. Lengths are in body lengths: the body lies along the x axis
from -0.5 (tip of the abdomen) to +0.5 (front of the head). Polygons are what Pillow fills fastest, and one list of
them gives both the picture and the exact mask of the specimen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int, int]  # red, green, blue, opacity, each 0 to 255


@dataclass(frozen=True)
class Shape:
    """A filled polygon: points (N, 2) float in body lengths, painted with `colour`."""

    points: np.ndarray
    colour: Colour


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made lighter (factor above 1) or darker (below 1), with the same opacity."""
    red, green, blue = (int(min(255, max(0, channel * factor))) for channel in colour[:3])
    return red, green, blue, colour[3]


def turn(points: np.ndarray, degrees: float) -> np.ndarray:
    """Points (N, 2) turned counter-clockwise about the origin."""
    angle = np.deg2rad(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    return points @ np.array([[cosine, sine], [-sine, cosine]])


def ellipse(centre: tuple[float, float], length: float, width: float, degrees: float = 0.0) -> np.ndarray:
    """Outline (20, 2) of an ellipse whose long axis is turned by `degrees` from the body axis."""
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    outline = np.column_stack([np.cos(angle) * length / 2, np.sin(angle) * width / 2])
    return turn(outline, degrees) + centre


def segment(front: float, back: float, width: float, taper: float = 0.0, bluntness: float = 2.0) -> np.ndarray:
    """Outline of a body segment that lies on the axis between two x positions.

    A superellipse (exponent `bluntness`: 2 is an ellipse, more is boxier), wider in front when `taper` is positive.
    """
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    along = np.sign(cosine) * np.abs(cosine) ** (2 / bluntness)
    across = np.sign(sine) * np.abs(sine) ** (2 / bluntness)
    x = (front + back) / 2 + along * (front - back) / 2
    return np.column_stack([x, across * width / 2 * (1 + taper * along)])


def strip(line: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Outline (2N, 2) of a line (N, 2) that has a width at each of its points: a leg, an antenna, a vein."""
    along = np.concatenate([line[1:], line[-1:]]) - np.concatenate([line[:1], line[:-1]])
    across = along[:, ::-1] * (-0.5, 0.5) * (widths / np.hypot(*along.T))[:, None]
    return np.concatenate([line + across, (line - across)[::-1]])


def blade(length: float, width: float, widest: float, bluntness: float, leading: float = 0.35) -> np.ndarray:
    """Outline (2N, 2) of a wing with its root at the origin and its tip on the x axis.

    `widest` (0 root, 1 tip) places the greatest width. `bluntness` above 1 rounds the tip. `leading` is the share of
    the width on the side of the leading edge (y < 0): less is straighter.
    """
    u = (1 - np.cos(np.linspace(0, np.pi, 16))) / 2
    rise = 1 / bluntness * widest / (1 - widest)
    profile = u**rise * (1 - u) ** (1 / bluntness)
    profile *= width / profile.max()
    front = np.column_stack([u * length, -leading * profile])
    rear = np.column_stack([u * length, (1 - leading) * profile])
    return np.concatenate([front, rear[::-1]])


def domed(outline: np.ndarray, colour: Colour) -> list[Shape]:
    """A convex body part: the outline in its dark colour, then smaller and lighter copies towards the light."""
    centre = outline.mean(axis=0)
    layers = ((1.0, 0.72), (0.86, 0.92), (0.66, 1.08), (0.42, 1.22))
    return [Shape(centre + (outline - centre) * size, shade(colour, light)) for size, light in layers]
