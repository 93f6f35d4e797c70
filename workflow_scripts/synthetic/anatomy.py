"""How each part of an insect is drawn from the measures of its body plan.

Every function takes one part of a plan and returns its shapes in body lengths (shapes.py). The measures are those of
an average specimen; the random generator makes the individual: posture and proportions.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from synthetic.shapes import Colour, Shape, blade, domed, ellipse, segment, shade, strip, turn

LOST_LEGS = 0.05  # share of legs that broke off in the trap
JOINTS = (0.2, 0.38, 0.55, 0.7, 0.84)  # of the abdomen, as shares of its length
LEGS = (("fore", 0.2, 50), ("middle", 0.5, 95), ("hind", 0.8, 138))  # name, place on the thorax, heading of the femur


@dataclass(frozen=True)
class Body:
    """Head, thorax and abdomen: lengths are shares of the body, widths are in body lengths."""

    head: float
    head_width: float
    head_colour: Colour
    thorax: float
    thorax_width: float
    thorax_colour: Colour
    abdomen_width: float
    abdomen_colour: Colour
    eye: float  # diameter, in head widths
    eye_colour: Colour
    abdomen_taper: float = 0.0  # positive: narrower towards the tip
    bluntness: float = 2.2  # of all segments; 2 is an ellipse, more is boxier
    joints: float = 0.0  # opacity of the dark bands between the segments of the abdomen
    waist: float = 0.0  # length of a thread-like waist, share of the body
    hair: float = 0.0  # length of the hairs around the thorax
    scutellum_colour: Colour | None = None  # of a triangle on the back, between the wings


@dataclass(frozen=True)
class Legs:
    """Three pairs of legs."""

    colour: Colour
    length: float
    width: float  # of the tibia
    femur: float = 1.6  # thickness of the femur, in widths of the tibia
    hind: float = 1.2  # length of the hind leg, in lengths of the fore leg
    hind_femur: float = 1.0  # thickness of the hind femur, in femora


@dataclass(frozen=True)
class Antennae:
    """Two antennae; `kind` is thread, beads, plume, club or elbow."""

    colour: Colour
    length: float
    width: float
    kind: str = "thread"
    angle: float = 30.0  # degrees from the body axis


@dataclass(frozen=True)
class Wings:
    """One pair of wings. Angles are in degrees from the head: 90 stands out from the body, 180 lies along it."""

    colour: Colour
    vein_colour: Colour
    length: float
    width: float
    root: tuple[float, float]  # place of the left root: x, and distance from the body axis
    angle: tuple[float, float]  # range of postures
    widest: float = 0.65  # where along the wing, 0 root to 1 tip
    bluntness: float = 2.5  # of the tip
    leading: float = 0.35  # share of the width before the line from root to tip
    veins: int = 4
    hard: bool = False  # domed like a shell, as the elytra of beetles are
    bands: int = 0  # dark bands across the wing
    spot: float = 0.0  # diameter of a dark spot, in wing widths
    pattern_colour: Colour | None = None  # of bands and spot
    fringe: float = 0.0  # length of the hairs along the edge


def draw_abdomen(body: Body) -> list[Shape]:
    """The abdomen with its joints, and the waist before it where there is one."""
    back = 0.5 - body.head - body.thorax
    front = back - body.waist
    shapes = []
    if body.waist:
        line = np.array([[back + 0.03, 0], [front - 0.03, 0]])
        shapes.append(Shape(strip(line, np.full(2, 0.05)), shade(body.abdomen_colour, 0.7)))
    outline = segment(front + 0.02, -0.5, body.abdomen_width, taper=body.abdomen_taper, bluntness=body.bluntness)
    return shapes + domed(outline, body.abdomen_colour) + _draw_joints(body, front)


def _draw_joints(body: Body, front: float) -> list[Shape]:
    """The dark bands between the segments of the abdomen."""
    if not body.joints:
        return []
    red, green, blue, _ = shade(body.abdomen_colour, 0.35)
    length = front + 0.5
    shapes = []
    for share in JOINTS:
        along = 1 - 2 * share
        reach = body.abdomen_width / 2 * (1 - abs(along) ** 2.2) ** 0.5 * (1 + body.abdomen_taper * along)
        x = front - share * length
        line = np.array([[x - 0.012, -reach], [x + 0.006, 0], [x - 0.012, reach]])
        shapes.append(Shape(strip(line, np.full(3, 0.09 * length)), (red, green, blue, int(255 * body.joints))))
    return shapes


def draw_thorax(body: Body) -> list[Shape]:
    """The thorax with its hairs, and the scutellum behind it where it shows."""
    neck = 0.5 - body.head
    back = neck - body.thorax
    outline = segment(neck + 0.02, back - 0.02, body.thorax_width, bluntness=body.bluntness)
    middle = outline.mean(axis=0)
    shapes = []
    if body.hair:
        for point in outline:
            away = (point - middle) / np.linalg.norm(point - middle) + (-0.7, 0)
            line = np.array([point, point + away * body.hair])
            shapes.append(Shape(strip(line, np.array([0.014, 0.005])), (*shade(body.thorax_colour, 0.8)[:3], 190)))
    if body.scutellum_colour:
        half = body.thorax_width * 0.36
        triangle = np.array([[back + 0.03, -half], [back + 0.03, half], [back - 0.2, 0]])
        shapes += domed(triangle, body.scutellum_colour)
    return shapes + domed(outline, body.thorax_colour)


def draw_head(body: Body) -> list[Shape]:
    """The head and its two eyes."""
    shapes = domed(segment(0.5, 0.49 - body.head, body.head_width), body.head_colour)
    eye = body.eye * body.head_width
    for side in (-1, 1):
        place = 0.5 - 0.55 * body.head, side * (body.head_width / 2 - 0.3 * eye)
        shapes += domed(ellipse(place, eye, eye * 0.8), body.eye_colour)
    return shapes


def draw_legs(legs: Legs, body: Body, rng: np.random.Generator) -> list[Shape]:
    """Three pairs of legs, less those that broke off."""
    shapes = []
    for pair, place, heading in LEGS:
        factor = legs.hind if pair == "hind" else 1.0
        thigh = legs.width * legs.femur * (legs.hind_femur if pair == "hind" else 1.0)
        for side in (-1, 1):
            bend = rng.uniform(15, 60) * (-1 if pair == "fore" else 1)
            angles = np.cumsum([heading + rng.normal(0, 14), bend, rng.uniform(-30, 30)])
            root = np.array([0.5 - body.head - place * body.thorax, body.thorax_width * 0.3])
            steps = np.array([[0.38], [0.40], [0.22]]) * legs.length * factor * _directions(angles)
            line = np.concatenate([root[None], root + np.cumsum(steps, axis=0)]) * (1, side)
            if rng.random() >= LOST_LEGS:
                shapes += _draw_leg(line, thigh, legs)
    return shapes


def _draw_leg(line: np.ndarray, thigh: float, legs: Legs) -> list[Shape]:
    """Tarsus, tibia and femur along the four joints of one leg."""
    femur = np.array([line[0], line[0] * 0.6 + line[1] * 0.4, line[1]])
    return [
        Shape(strip(line[2:], np.array([0.7, 0.4]) * legs.width), legs.colour),
        Shape(strip(line[1:3], np.array([1.0, 0.8]) * legs.width), shade(legs.colour, 0.85)),
        Shape(strip(femur, np.array([0.7, 1.0, 0.6]) * thigh), legs.colour),
    ]


def _directions(degrees: np.ndarray) -> np.ndarray:
    """Unit vectors (N, 2) of the angles."""
    angle = np.deg2rad(degrees)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def draw_antennae(antennae: Antennae, body: Body, rng: np.random.Generator) -> list[Shape]:
    """Two curved antennae of the kind that the plan names."""
    shapes = []
    for side in (-1, 1):
        turns = np.full(7, rng.uniform(-2, 10))
        if antennae.kind == "elbow":
            turns[2] = 55
        steps = antennae.length / 7 * _directions(antennae.angle + rng.normal(0, 8) + np.cumsum(turns))
        root = np.array([0.5 - 0.2 * body.head, 0.2 * body.head_width])
        line = np.concatenate([root[None], root + np.cumsum(steps, axis=0)]) * (1, side)
        shapes += _draw_antenna(line, antennae)
    return shapes


def _draw_antenna(line: np.ndarray, antennae: Antennae) -> list[Shape]:
    """One antenna along its eight points."""
    widths = np.linspace(1.0, 0.6, len(line)) * antennae.width
    if antennae.kind == "club":
        widths[-3:] *= (2.5, 4.0, 3.0)
    shapes = [Shape(strip(line, widths), antennae.colour)]
    if antennae.kind == "beads":
        places = np.linspace(0.5, 7, 12)
        points = np.column_stack([np.interp(places, np.arange(8), line[:, axis]) for axis in (0, 1)])
        bead = antennae.width * 2.2
        shapes += [Shape(ellipse(tuple(point), bead, bead), antennae.colour) for point in points]
    if antennae.kind == "plume":
        for start, end in pairwise(line[1:]):
            for degrees in (-55, 55):
                hair = turn((end - start)[None], degrees)[0] * 2.8
                outline = strip(np.array([start, start + hair]), np.full(2, antennae.width * 0.5))
                shapes.append(Shape(outline, (*antennae.colour[:3], 150)))
    return shapes


def draw_wings(wings: Wings, posture: float, rng: np.random.Generator) -> list[Shape]:
    """A pair of wings held at `posture` degrees from the head, nearly alike on both sides."""
    wing = _draw_wing(wings)
    shapes = []
    for side in (-1, 1):
        angle = min(posture + rng.normal(0, 4), 181)
        shapes += [Shape((turn(shape.points, angle) + wings.root) * (1, side), shape.colour) for shape in wing]
    return shapes


def _draw_wing(wings: Wings) -> list[Shape]:
    """One wing with its root at the origin and its tip on the x axis."""
    outline = blade(wings.length, wings.width, widest=wings.widest, bluntness=wings.bluntness, leading=wings.leading)
    half = len(outline) // 2
    front, rear = outline[:half], outline[half:][::-1]
    shapes = _draw_fringe(wings, outline)
    shapes += domed(outline, wings.colour) if wings.hard else [Shape(outline, wings.colour)]
    shapes += _draw_pattern(wings, front, rear)
    shapes.append(Shape(strip(front[:-1], np.linspace(0.022, 0.008, half - 1)), wings.vein_colour))
    for share in np.linspace(0, 1, wings.veins + 2)[1:-1]:
        vein = front * (1 - share) + rear * share
        shapes.append(Shape(strip(vein[1:-1], np.linspace(0.012, 0.005, half - 2)), wings.vein_colour))
    return shapes


def _draw_fringe(wings: Wings, outline: np.ndarray) -> list[Shape]:
    """Hairs along the edge of a wing, swept towards its tip."""
    if not wings.fringe:
        return []
    shapes = []
    for point in outline[3:-1]:
        hair = np.array([0.5, 1.0 if point[1] > 0 else -1.0]) * wings.fringe
        outline_of_hair = strip(np.array([point, point + hair]), np.array([0.012, 0.005]))
        shapes.append(Shape(outline_of_hair, (*wings.vein_colour[:3], 150)))
    return shapes


def _draw_pattern(wings: Wings, front: np.ndarray, rear: np.ndarray) -> list[Shape]:
    """Bands across a wing, and a spot in its outer half."""
    if wings.pattern_colour is None:
        return []
    shapes = []
    for index in range(wings.bands):
        end = (index + 0.9) / wings.bands
        first, last = (np.array([end - 0.4 / wings.bands, end]) * (len(front) - 1)).astype(int).tolist()
        band = np.concatenate([front[first : last + 1], rear[first : last + 1][::-1]])
        shapes.append(Shape(band, wings.pattern_colour))
    if wings.spot:
        place = (0.62 * wings.length, (0.5 - wings.leading) * wings.width)
        shapes.append(Shape(ellipse(place, *(wings.spot * wings.width,) * 2), wings.pattern_colour))
    return shapes
