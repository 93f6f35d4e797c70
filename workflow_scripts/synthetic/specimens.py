"""One individual of a taxon: its body plan, varied by species and by chance.

All specimens of a BIN share a shift of colour that its uri decides. Every specimen has its own proportions, posture
and bend, and some lie on their side.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from synthetic.anatomy import (
    Body,
    draw_abdomen,
    draw_antennae,
    draw_head,
    draw_legs,
    draw_thorax,
    draw_wings,
)
from synthetic.body_plans import PLANS, BodyPlan
from synthetic.shapes import Colour, Shape
from synthetic.taxonomy import Taxon

FOLDED = 145  # degrees from the head: wings held beyond it cover the abdomen


def draw_specimen(rng: np.random.Generator, taxon: Taxon) -> tuple[float, list[Shape]]:
    """The length of one individual's body in heights of the picture, and its shapes in the order of painting."""
    plan = PLANS[taxon.form]
    body = replace(
        plan.body,
        head_width=plan.body.head_width * rng.uniform(0.9, 1.1),
        thorax_width=plan.body.thorax_width * rng.uniform(0.88, 1.12),
        abdomen_width=plan.body.abdomen_width * rng.uniform(0.85, 1.15),
    )
    length, tint = rng.uniform(*plan.size), _tint(rng, taxon)
    bend, foreshortening = rng.normal(0, 0.2), rng.uniform(0.8, 1.0)
    shapes = _compose(plan, body, rng)
    return length, [Shape(_pose(shape.points, bend, foreshortening), _dye(shape.colour, tint)) for shape in shapes]


def _compose(plan: BodyPlan, body: Body, rng: np.random.Generator) -> list[Shape]:
    """All parts from below to above: wings that lie along the body cover the abdomen, spread ones lie beneath it."""
    legs, antennae = draw_legs(plan.legs, body, rng), draw_antennae(plan.antennae, body, rng)
    postures = [rng.uniform(*wings.angle) for wings in plan.wings]
    pairs = [draw_wings(wings, posture, rng) for wings, posture in zip(plan.wings, postures, strict=True)]
    if rng.random() < plan.on_side:
        legs, pairs = _to_one_side(legs, -1), [_to_one_side(pair, 1) for pair in pairs]
    spread = [shape for pair, posture in zip(pairs, postures, strict=True) if posture < FOLDED for shape in pair]
    folded = [shape for pair, posture in zip(pairs, postures, strict=True) if posture >= FOLDED for shape in pair]
    return legs + antennae + spread + draw_abdomen(body) + folded + draw_thorax(body) + draw_head(body)


def _to_one_side(shapes: list[Shape], side: int) -> list[Shape]:
    """The shapes of both sides of the body laid to one, as in an animal that is seen from its side."""
    own = [shape if shape.points[:, 1].mean() * side > 0 else _mirrored(shape) for shape in shapes]
    return [Shape(shape.points * (1, 0.85), shape.colour) for shape in own]


def _mirrored(shape: Shape) -> Shape:
    return Shape(shape.points * (1, -1), shape.colour)


def _pose(points: np.ndarray, bend: float, foreshortening: float) -> np.ndarray:
    """Curve the body axis sideways and narrow the animal, as if it were tilted a little."""
    posed = points * (1, foreshortening)
    posed[:, 1] += bend * points[:, 0] ** 2
    return posed


def _tint(rng: np.random.Generator, taxon: Taxon) -> list[float]:
    """Factors of red, green and blue: one shift for the BIN, a smaller one for the individual."""
    species = np.random.default_rng(zlib.crc32(taxon.uri.encode()))
    shift = species.uniform(0.82, 1.18) * species.uniform(0.9, 1.1, 3)
    return (shift * rng.uniform(0.88, 1.12) * rng.uniform(0.96, 1.04, 3)).tolist()


def _dye(colour: Colour, tint: list[float]) -> Colour:
    red, green, blue = (min(255, int(channel * factor)) for channel, factor in zip(colour[:3], tint, strict=True))
    return red, green, blue, colour[3]
