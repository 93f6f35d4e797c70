"""How figures are saved: without a display, and the same figure gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Rectangle

from bioscan1m.foundation.atomic import write_aside

DOTS_PER_INCH = 110
# Inches of the widest figures: what the report has room for beside its navigation on a screen of 1440 pixels. Wider
# ones are shown smaller there, and their letters cannot be read.
FULL_WIDTH = 10.5
# Colours of boxes in all galleries, as in the paper (figures A9 and A10).
TRUTH, TIGHT, EXTENDED = "limegreen", "red", "blue"
BOX_NAMES = {TRUTH: "annotated box", TIGHT: "box of the detector", EXTENDED: "edge of the crop"}
# By file format: metadata that matplotlib would fill with the clock or with its version.
# That one figure has: of 1,000 classes a confusion matrix would have 22,000 pixels on each side, and take gigabytes.
MOST_CLASSES = 200
CHANGING_METADATA = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG or PNG, by the suffix of `path`."""
    suffix = Path(path).suffix.lstrip(".")
    # A fixed salt: SVG elements are else named at random.
    with mpl.rc_context({"svg.hashsalt": "bioscan1m"}), write_aside(path) as part:
        figure.savefig(part, format=suffix, dpi=DOTS_PER_INCH, metadata=CHANGING_METADATA[suffix])


def literal(text: str) -> str:
    """A text with names of classes or files, in which dollars enclose no formula."""
    return text.replace("$", r"\$")


def explain_boxes(figure: FigureBase, *colours: str) -> None:
    """A legend, at the upper right outside of the axes, of what the boxes of these colours are."""
    handles = [Rectangle((0, 0), 1, 1, fill=False, edgecolor=colour, label=BOX_NAMES[colour]) for colour in colours]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), frameon=False, fontsize=8)


def outline_box(axis: Axes, box: Sequence[float], colour: str, clip: bool = True) -> None:
    """Draw the edges of a box (x_min, y_min, x_max, y_max); without `clip` also where it leaves the axes."""
    x_min, y_min, x_max, y_max = map(float, box)
    axis.add_patch(
        Rectangle(
            (x_min, y_min), x_max - x_min, y_max - y_min, fill=False, edgecolor=colour, linewidth=1.2, clip_on=clip
        )
    )
