"""A specimen in a well, as the robotic imager sees it: round floor, bright rings of light, wall, debris.

The background is a function of the distance from the middle of the well, bent by uneven light; it is computed at low
resolution, since it is smooth. The specimen is painted at a multiple of the resolution on just the part of the picture
that it covers, then reduced, which gives smooth edges. Its mask is painted by the same shapes, so the box and the
polygons are those of what is seen: legs, antennae and wings included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from synthetic.shapes import Shape, ellipse, strip, turn
from synthetic.specimens import draw_specimen
from synthetic.taxonomy import Taxon

Box = tuple[float, float, float, float]  # x_min, y_min, x_max, y_max in pixels

CANVAS_WIDTH = 1280  # pixels at which a specimen is painted before it is reduced to the size of the picture
LARGEST_EXTENT = 0.92  # of the picture's sides; a larger specimen is made smaller
TEXTURE = 210  # of 255: the darkest factor of the mottled cuticle
SHADOW = [255 - coverage // 5 for coverage in range(256)]  # factor of brightness for each coverage
STEPS = 512  # of distance (to one picture height) and of heading in the tables of the background
LEAST_COVERAGE = 64  # of 255: a pixel belongs to the mask where the specimen covers a quarter of it


@dataclass(frozen=True)
class Well:
    """A picture of a well.

    `box` is the tight box of the specimen, None where the well is empty; `mask` (height, width) bool marks its pixels.
    """

    image: Image.Image
    box: Box | None
    mask: np.ndarray


def render_well(rng: np.random.Generator, taxon: Taxon | None, size: tuple[int, int] = (640, 480)) -> Well:
    """Draw a well with one specimen of the taxon at any place, angle and size, or an empty one for None.

    `size` is (width, height) in pixels; everything is drawn in proportion to it.
    """
    image = _background(rng, size)
    for speck in _debris(rng, size):
        _paint(image, [speck])
    mask = np.zeros(size[::-1], dtype=bool)
    if taxon is not None:
        (left, top), coverage = _paint(image, _place(rng, taxon, size))
        _add_texture(rng, image, (left, top), coverage)
        mask[top : top + coverage.height, left : left + coverage.width] = np.asarray(coverage) >= LEAST_COVERAGE
    return Well(_with_noise(rng, image), _extent(mask), mask)


def _background(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """The empty well."""
    width, height = size
    step = max(1, width // 320)
    y, x = np.mgrid[0:height:step, 0:width:step].astype(np.float32)
    middle = rng.normal(0.5, 0.02, 2) * size
    x, y = (x - np.float32(middle[0])) / height, (y - np.float32(middle[1])) / height
    light = x * rng.uniform(-0.12, 0.12) + y * rng.uniform(-0.12, 0.12)
    brightness = (light + _rings(rng, np.hypot(x, y), np.arctan2(y, x))) * 255
    tint = np.array([0.985, 1.0, 1.01]) + rng.normal(0, 0.012, 3)
    channels = [Image.fromarray(np.clip(brightness * factor, 0, 255).astype(np.uint8)) for factor in tint.tolist()]
    return Image.merge("RGB", channels).resize(size, Image.Resampling.BILINEAR)


def _rings(rng: np.random.Generator, radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Brightness by distance from the middle (picture heights): floor, rings of light, foot of the wall, bright rim.

    The light comes from a circle of lamps and from around: rings and rim wax and wane with the angle, and the wall
    gleams here and there.
    """
    distance = np.arange(STEPS, dtype=np.float32) / STEPS
    wall = rng.uniform(0.42, 0.6)

    def ring(place: float, width: float, least: float, most: float) -> np.ndarray:
        return rng.uniform(least, most) * np.exp(-(((distance - place) / width) ** 2))

    steady = rng.uniform(0.74, 0.87) - ring(wall, 0.008, 0.05, 0.3) - ring(wall + 0.06, 0.03, 0.0, 0.08)
    lamps = ring(rng.uniform(0.1, 0.14), 0.02, 0.03, 0.13) + ring(rng.uniform(0.22, 0.28), 0.025, 0.0, 0.09)
    rim = rng.uniform(0.06, 0.15) / (1 + np.exp(-(distance - wall - 0.05) / 0.012))
    gleam = ring(wall + 0.012, 0.006, 0.1, 0.45) + ring(wall + 0.09, 0.015, 0.0, 0.2)
    profiles = np.stack([steady, lamps + rim, gleam])
    turns = np.stack([np.ones(STEPS), 1 + rng.uniform(0.1, 0.5) * _waves(rng, 5, 10), _waves(rng, 2, 17).clip(0) ** 2])
    place = np.minimum(radius * STEPS, STEPS - 1).astype(np.intp)
    heading = ((angle / np.pi + 1) * (STEPS / 2)).astype(np.intp) % STEPS
    return (profiles.astype(np.float32)[:, place] * turns.astype(np.float32)[:, heading]).sum(axis=0)


def _waves(rng: np.random.Generator, fewest: int, most: int) -> np.ndarray:
    """A smooth function of the heading, (STEPS,), that is periodic and stays between about -2 and 2."""
    turn_of_circle = np.arange(STEPS) * (2 * np.pi / STEPS)
    counts, phases = rng.integers(fewest, most, 3), rng.uniform(0, 2 * np.pi, 3)
    return np.cos(turn_of_circle[:, None] * counts + phases).sum(axis=1) * 0.75


def _debris(rng: np.random.Generator, size: tuple[int, int]) -> list[Shape]:
    """Specks and fibres anywhere in the well, in pixels."""
    height = size[1]
    shapes = []
    for _ in range(rng.integers(2, 14)):
        place = rng.uniform(0.06, 0.94, 2) * size
        grey = rng.uniform(60, 190)
        colour = (int(grey), int(grey * 0.92), int(grey * 0.8), int(rng.integers(90, 230)))
        length = height * rng.uniform(0.004, 0.016)
        if rng.random() < 0.3:
            angles = np.deg2rad(rng.uniform(0, 360) + np.cumsum(rng.normal(0, 25, 6)))
            line = place + np.cumsum(np.column_stack([np.cos(angles), np.sin(angles)]) * length * 0.75, axis=0)
            shapes.append(Shape(strip(line, np.full(6, height * 0.003)), colour))
        else:
            outline = ellipse(tuple(place), length, length * rng.uniform(0.4, 1), rng.uniform(0, 180))
            shapes.append(Shape(outline, colour))
    return shapes


def _place(rng: np.random.Generator, taxon: Taxon, size: tuple[int, int]) -> list[Shape]:
    """The specimen's shapes in pixels: turned, scaled, and laid where all of it is in the picture."""
    length, shapes = draw_specimen(rng, taxon)
    scale, degrees = length * size[1], rng.uniform(0, 360)
    turned = [turn(shape.points, degrees) for shape in shapes]
    every = np.concatenate(turned)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = min(scale, *(LARGEST_EXTENT * np.array(size) / (high - low)))
    margin = np.array(size) - (high - low) * scale
    shift = margin * np.clip(rng.normal(0.5, 0.22, 2), 0.03, 0.97) - low * scale
    return [Shape(points * scale + shift, shape.colour) for points, shape in zip(turned, shapes, strict=True)]


def _paint(image: Image.Image, shapes: list[Shape]) -> tuple[tuple[int, int], Image.Image]:
    """Paint the shapes (in pixels) on the image; returns where the painted patch begins (x, y) and its coverage (L)."""
    factor = int(np.clip(CANVAS_WIDTH // image.width, 1, 4))
    every = np.concatenate([shape.points for shape in shapes])
    margin = 2 + image.height // 40  # for the shadow
    low = np.maximum(np.floor(every.min(axis=0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(every.max(axis=0)).astype(int) + margin, image.size)
    (left, top), (width, height) = low.tolist(), (high - low).tolist()
    covered = Image.new("L", (width * factor, height * factor))
    cover = ImageDraw.Draw(covered)
    outlines = [((shape.points - low) * factor).ravel().tolist() for shape in shapes]
    for outline in outlines:
        cover.polygon(outline, fill=255)
    patch = _with_shadow(image.crop((left, top, left + width, top + height)), covered)
    canvas = patch.resize(covered.size, Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(canvas, "RGBA")
    for shape, outline in zip(shapes, outlines, strict=True):
        pen.polygon(outline, fill=shape.colour)
    image.paste(canvas.reduce(factor), (left, top))
    return (left, top), covered.reduce(factor)


def _with_shadow(patch: Image.Image, covered: Image.Image) -> Image.Image:
    """The patch darkened by the faint, blurred shadow of what will cover it, which falls down and to the right."""
    small = covered.resize((max(1, patch.width // 6), max(1, patch.height // 6)), Image.Resampling.BOX)
    shadow = small.resize(patch.size, Image.Resampling.BICUBIC).point(SHADOW)
    shadow = ImageChops.offset(shadow, patch.width // 60, patch.height // 60)
    return ImageChops.multiply(patch, Image.merge("RGB", [shadow] * 3))


def _add_texture(rng: np.random.Generator, image: Image.Image, place: tuple[int, int], coverage: Image.Image) -> None:
    """Mottle the specimen, which begins at `place`: spots of cuticle, a hundredth of the picture wide."""
    spot = max(1, image.height // 120)
    coarse = rng.integers(TEXTURE, 256, (coverage.height // spot + 1, coverage.width // spot + 1), dtype=np.uint8)
    mottle = Image.fromarray(coarse).resize(coverage.size, Image.Resampling.BICUBIC)
    patch = image.crop((*place, place[0] + coverage.width, place[1] + coverage.height))
    image.paste(ImageChops.multiply(patch, Image.merge("RGB", [mottle] * 3)), place, coverage)


def _extent(mask: np.ndarray) -> Box | None:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _with_noise(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Grain of the sensor: a few grey levels, the same in all three colours."""
    grain = Image.fromarray(rng.integers(0, 8, image.size[::-1], dtype=np.uint8))
    return ImageChops.add(image, Image.merge("RGB", [grain] * 3), offset=-4)
