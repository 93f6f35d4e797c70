"""The body plans: what a taxonomist would look at first, in numbers.

One plan for each form: how many wings, how wide, how patterned; waist or none; eyes, antennae, legs; colours. Lengths
are in body lengths (anatomy.py). They are rough averages of common genera, drawn from general knowledge, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import ImageColor

from synthetic.anatomy import Antennae, Body, Legs, Wings
from synthetic.shapes import Colour


@dataclass(frozen=True)
class BodyPlan:
    """A body plan.

    `size` is the range of body lengths in heights of the picture, `on_side` the share of specimens that lie on their
    side, with all legs to one hand and all wings to the other.
    """

    size: tuple[float, float]
    body: Body
    legs: Legs
    antennae: Antennae
    wings: tuple[Wings, ...]
    on_side: float = 0.0


def ink(code: str) -> Colour:
    """The colour of a code #rrggbb or, with opacity, #rrggbbaa."""
    red, green, blue, *opacity = ImageColor.getrgb(code)
    return red, green, blue, opacity[0] if opacity else 255


PLANS: dict[str, BodyPlan] = {
    # Diptera: one pair of wings, large eyes
    "Cecidomyiidae": BodyPlan(  # gall midges: orange, hair-thin legs, long beaded antennae, broad clear wings
        size=(0.22, 0.38),
        body=Body(
            head=0.1, head_width=0.13, head_colour=ink("#5a3c28"), eye=0.8, eye_colour=ink("#1e1614"),
            thorax=0.26, thorax_width=0.21, thorax_colour=ink("#9a5c34"),
            abdomen_width=0.19, abdomen_colour=ink("#d97832"), abdomen_taper=0.35, joints=0.3,
        ),
        legs=Legs(ink("#a98a64"), length=0.95, width=0.02),
        antennae=Antennae(ink("#785a3c"), length=0.62, width=0.018, kind="beads"),
        wings=(Wings(ink("#c8c3b480"), ink("#78695a96"), length=0.95, width=0.4, root=(0.2, 0.04), angle=(95, 165),
                     widest=0.7, bluntness=3, veins=2, fringe=0.02),),
        on_side=0.3,
    ),
    "Chironomidae": BodyPlan(  # non-biting midges: long green abdomen beyond narrow wings, plumed antennae
        size=(0.32, 0.52),
        body=Body(
            head=0.08, head_width=0.12, head_colour=ink("#6e783c"), eye=0.8, eye_colour=ink("#191919"),
            thorax=0.25, thorax_width=0.2, thorax_colour=ink("#7d8246"),
            abdomen_width=0.11, abdomen_colour=ink("#8fa356"), abdomen_taper=0.2, bluntness=2.6, joints=0.55,
        ),
        legs=Legs(ink("#968c5a"), length=0.75, width=0.018),
        antennae=Antennae(ink("#78643c"), length=0.3, width=0.012, kind="plume", angle=40),
        wings=(Wings(ink("#cdcdc380"), ink("#8c8c7d96"), length=0.6, width=0.18, root=(0.2, 0.05), angle=(105, 168),
                     widest=0.6, veins=3),),
        on_side=0.35,
    ),
    "Phoridae": BodyPlan(  # scuttle flies: humped and stout, brown, thick hind femora, tiny antennae
        size=(0.22, 0.36),
        body=Body(
            head=0.13, head_width=0.2, head_colour=ink("#3a281a"), eye=0.6, eye_colour=ink("#161010"),
            thorax=0.38, thorax_width=0.36, thorax_colour=ink("#7c5028"),
            abdomen_width=0.3, abdomen_colour=ink("#4e331f"), abdomen_taper=0.5, bluntness=2, joints=0.4, hair=0.03,
        ),
        legs=Legs(ink("#9c6c38"), length=0.62, width=0.035, femur=1.8, hind=1.25, hind_femur=1.9),
        antennae=Antennae(ink("#3c281e"), length=0.1, width=0.03, angle=20),
        wings=(Wings(ink("#c3b4968c"), ink("#6e55378c"), length=0.82, width=0.32, root=(0.18, 0.08), angle=(130, 172),
                     widest=0.6, bluntness=3, veins=3),),
        on_side=0.4,
    ),
    "Sciaridae": BodyPlan(  # dark-winged fungus gnats: all black and grey, smoky wings
        size=(0.26, 0.42),
        body=Body(
            head=0.1, head_width=0.13, head_colour=ink("#1e1c1c"), eye=0.85, eye_colour=ink("#0a0a0a"),
            thorax=0.27, thorax_width=0.21, thorax_colour=ink("#282524"),
            abdomen_width=0.17, abdomen_colour=ink("#3c3430"), abdomen_taper=0.5, joints=0.45,
        ),
        legs=Legs(ink("#4b4137"), length=0.8, width=0.024),
        antennae=Antennae(ink("#282422"), length=0.45, width=0.026, angle=25),
        wings=(Wings(ink("#5f5a58a0"), ink("#2d2a28b4"), length=0.85, width=0.3, root=(0.2, 0.05), angle=(110, 170),
                     bluntness=3, veins=3),),
        on_side=0.35,
    ),
    "Psychodidae": BodyPlan(  # moth flies: small, furry, broad hairy wings like a leaf
        size=(0.2, 0.32),
        body=Body(
            head=0.14, head_width=0.2, head_colour=ink("#786e5f"), eye=0.6, eye_colour=ink("#191616"),
            thorax=0.3, thorax_width=0.32, thorax_colour=ink("#827664"),
            abdomen_width=0.26, abdomen_colour=ink("#8c806e"), joints=0.2, hair=0.07,
        ),
        legs=Legs(ink("#82745f"), length=0.5, width=0.03),
        antennae=Antennae(ink("#827664"), length=0.5, width=0.024, kind="beads", angle=45),
        wings=(Wings(ink("#968c7ae6"), ink("#5f5548b4"), length=1.0, width=0.55, root=(0.22, 0.05), angle=(118, 152),
                     widest=0.45, bluntness=1.3, veins=7, bands=2, pattern_colour=ink("#69584e8c"), fringe=0.06),),
    ),
    "Dolichopodidae": BodyPlan(  # long-legged flies: metallic green, long yellow legs, red eyes
        size=(0.26, 0.42),
        body=Body(
            head=0.13, head_width=0.22, head_colour=ink("#28503c"), eye=0.75, eye_colour=ink("#82281e"),
            thorax=0.32, thorax_width=0.27, thorax_colour=ink("#287a5a"),
            abdomen_width=0.2, abdomen_colour=ink("#2d824b"), abdomen_taper=0.55, joints=0.6, hair=0.03,
        ),
        legs=Legs(ink("#c8aa50"), length=0.95, width=0.026, femur=1.5, hind=1.3),
        antennae=Antennae(ink("#282828"), length=0.12, width=0.03, angle=20),
        wings=(Wings(ink("#c3c3be78"), ink("#6464609b"), length=0.88, width=0.28, root=(0.2, 0.07), angle=(105, 165),
                     veins=4),),
        on_side=0.4,
    ),
    # The other orders
    "Hymenoptera": BodyPlan(  # wasps: narrow waist, elbowed antennae, two pairs of clear wings
        size=(0.28, 0.48),
        body=Body(
            head=0.13, head_width=0.21, head_colour=ink("#281610"), eye=0.5, eye_colour=ink("#140f0f"),
            thorax=0.28, thorax_width=0.2, thorax_colour=ink("#321810"),
            abdomen_width=0.22, abdomen_colour=ink("#8a3a1c"), abdomen_taper=-0.15, joints=0.35, waist=0.12,
        ),
        legs=Legs(ink("#b97832"), length=0.55, width=0.026),
        antennae=Antennae(ink("#46281a"), length=0.6, width=0.024, kind="elbow", angle=5),
        wings=(
            Wings(ink("#c3c3b978"), ink("#5a5046aa"), length=0.45, width=0.16, root=(0.1, 0.06), angle=(108, 165),
                  widest=0.75, veins=1),
            Wings(ink("#c3c3b978"), ink("#5a5046aa"), length=0.72, width=0.25, root=(0.2, 0.06), angle=(98, 160),
                  widest=0.75, veins=3, spot=0.25, pattern_colour=ink("#503c28a0")),
        ),
        on_side=0.35,
    ),
    "Coleoptera": BodyPlan(  # beetles: hard domed elytra that meet in a straight line, clubbed antennae
        size=(0.26, 0.46),
        body=Body(
            head=0.11, head_width=0.26, head_colour=ink("#2c1a12"), eye=0.3, eye_colour=ink("#0f0c0a"),
            thorax=0.22, thorax_width=0.4, thorax_colour=ink("#46261a"),
            abdomen_width=0.44, abdomen_colour=ink("#301810"), bluntness=2.6,
        ),
        legs=Legs(ink("#46261a"), length=0.45, width=0.036),
        antennae=Antennae(ink("#502d1c"), length=0.28, width=0.025, kind="club", angle=45),
        wings=(Wings(ink("#5f2c18"), ink("#32160cc8"), length=0.69, width=0.25, root=(0.2, 0.0), angle=(178, 181),
                     widest=0.4, bluntness=3, leading=1.0, veins=3, hard=True),),
    ),
    "Hemiptera": BodyPlan(  # leafhoppers and plant bugs: green, wedge-shaped, a triangle on the back
        size=(0.3, 0.48),
        body=Body(
            head=0.12, head_width=0.34, head_colour=ink("#91a54b"), eye=0.3, eye_colour=ink("#5a281e"),
            thorax=0.18, thorax_width=0.4, thorax_colour=ink("#82a046"),
            abdomen_width=0.3, abdomen_colour=ink("#8caa50"), abdomen_taper=0.6, bluntness=2.1,
            scutellum_colour=ink("#c3be5a"),
        ),
        legs=Legs(ink("#96a05a"), length=0.5, width=0.026, hind=1.4),
        antennae=Antennae(ink("#6e7846"), length=0.3, width=0.014, angle=40),
        wings=(Wings(ink("#7da046f0"), ink("#55732dc8"), length=0.84, width=0.25, root=(0.24, 0.01), angle=(176, 180),
                     widest=0.2, bluntness=1.4, leading=0.85, veins=3, hard=True),),
    ),
    "Lepidoptera": BodyPlan(  # moths and butterflies: wide opaque wings with bands and spots, clubbed antennae
        size=(0.28, 0.42),
        body=Body(
            head=0.12, head_width=0.14, head_colour=ink("#6e553c"), eye=0.7, eye_colour=ink("#1e1814"),
            thorax=0.25, thorax_width=0.2, thorax_colour=ink("#826446"),
            abdomen_width=0.15, abdomen_colour=ink("#967850"), abdomen_taper=0.3, joints=0.2, hair=0.05,
        ),
        legs=Legs(ink("#826950"), length=0.4, width=0.02),
        antennae=Antennae(ink("#5a4637"), length=0.5, width=0.015, kind="club", angle=35),
        wings=(
            Wings(ink("#b9966ef5"), ink("#785a3cc8"), length=0.75, width=0.7, root=(0.08, 0.04), angle=(112, 142),
                  widest=0.72, bluntness=3, veins=5, bands=2, spot=0.3, pattern_colour=ink("#6e4b32d2")),
            Wings(ink("#aa8258f5"), ink("#6e5037c8"), length=1.0, width=0.58, root=(0.2, 0.04), angle=(62, 105),
                  widest=0.8, bluntness=4, veins=5, bands=3, spot=0.35, pattern_colour=ink("#5f3c28d2")),
        ),
    ),
    "Psocodea": BodyPlan(  # bark lice: pale, bulbous head, wings like a roof, long thread antennae
        size=(0.22, 0.36),
        body=Body(
            head=0.18, head_width=0.28, head_colour=ink("#c8af78"), eye=0.45, eye_colour=ink("#191614"),
            thorax=0.22, thorax_width=0.25, thorax_colour=ink("#b4965a"),
            abdomen_width=0.28, abdomen_colour=ink("#d7c38c"), abdomen_taper=0.2, bluntness=2.4, joints=0.25,
        ),
        legs=Legs(ink("#bea97d"), length=0.5, width=0.022),
        antennae=Antennae(ink("#967d5a"), length=0.85, width=0.015, angle=35),
        wings=(Wings(ink("#cdbe9aaa"), ink("#7d6441b4"), length=1.05, width=0.4, root=(0.2, 0.05), angle=(155, 172),
                     widest=0.65, veins=4, spot=0.22, pattern_colour=ink("#7d6446a0")),),
        on_side=0.3,
    ),
    "Thysanoptera": BodyPlan(  # thrips: tiny and slender, banded, wings like feathers
        size=(0.18, 0.3),
        body=Body(
            head=0.1, head_width=0.11, head_colour=ink("#c8a03c"), eye=0.5, eye_colour=ink("#3c0f0f"),
            thorax=0.25, thorax_width=0.15, thorax_colour=ink("#cda037"),
            abdomen_width=0.16, abdomen_colour=ink("#be8c2d"), abdomen_taper=0.5, bluntness=2.5, joints=0.65,
        ),
        legs=Legs(ink("#c8a046"), length=0.25, width=0.026),
        antennae=Antennae(ink("#785a32"), length=0.17, width=0.024, kind="beads", angle=20),
        wings=(Wings(ink("#afa082aa"), ink("#786e5aaa"), length=0.55, width=0.05, root=(0.2, 0.05), angle=(150, 176),
                     widest=0.5, veins=0, fringe=0.07),),
    ),
    "Trichoptera": BodyPlan(  # caddisflies: brown hairy wings folded along the body, very long antennae
        size=(0.28, 0.42),
        body=Body(
            head=0.1, head_width=0.16, head_colour=ink("#463424"), eye=0.5, eye_colour=ink("#141210"),
            thorax=0.22, thorax_width=0.22, thorax_colour=ink("#503c28"),
            abdomen_width=0.16, abdomen_colour=ink("#5f4b32"), bluntness=2.4, hair=0.03,
        ),
        legs=Legs(ink("#967346"), length=0.7, width=0.026),
        antennae=Antennae(ink("#5a4632"), length=1.1, width=0.016, angle=18),
        wings=(Wings(ink("#6e5537eb"), ink("#463420dc"), length=1.05, width=0.32, root=(0.22, 0.05), angle=(163, 174),
                     widest=0.78, bluntness=4, veins=5, bands=3, pattern_colour=ink("#a0825a82")),),
        on_side=0.4,
    ),
    "Orthoptera": BodyPlan(  # grasshoppers: jumping hind legs, long green body
        size=(0.36, 0.54),
        body=Body(
            head=0.15, head_width=0.19, head_colour=ink("#788c41"), eye=0.35, eye_colour=ink("#3c1e14"),
            thorax=0.24, thorax_width=0.23, thorax_colour=ink("#6e823c"),
            abdomen_width=0.18, abdomen_colour=ink("#96965a"), abdomen_taper=0.3, bluntness=2.6, joints=0.35,
        ),
        legs=Legs(ink("#828c46"), length=0.5, width=0.028, hind=2.0, hind_femur=2.2),
        antennae=Antennae(ink("#6e5a32"), length=0.4, width=0.018, angle=25),
        wings=(Wings(ink("#827855eb"), ink("#5a5032c8"), length=0.72, width=0.14, root=(0.2, 0.02), angle=(172, 179),
                     widest=0.5, leading=0.8, veins=3),),
        on_side=0.4,
    ),
    "Blattodea": BodyPlan(  # cockroaches: flat oval, a shield over the head, leathery wings, spiny legs
        size=(0.34, 0.5),
        body=Body(
            head=0.06, head_width=0.18, head_colour=ink("#4a2512"), eye=0.28, eye_colour=ink("#140c0a"),
            thorax=0.26, thorax_width=0.46, thorax_colour=ink("#8c5229"),
            abdomen_width=0.44, abdomen_colour=ink("#78411c"), bluntness=2.4, joints=0.4,
        ),
        legs=Legs(ink("#96592a"), length=0.55, width=0.036, femur=2.0),
        antennae=Antennae(ink("#784623"), length=0.95, width=0.018, angle=28),
        wings=(Wings(ink("#7d4a24f0"), ink("#5a3216b4"), length=0.8, width=0.3, root=(0.24, 0.02), angle=(179, 181),
                     widest=0.45, leading=0.8, veins=6, hard=True),),
    ),
}  # fmt: skip
