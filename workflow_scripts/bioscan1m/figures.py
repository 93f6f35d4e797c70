"""How figures are saved: without a display, and the same figure gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bioscan1m.atomic import write_aside

DOTS_PER_INCH = 110
# By file format: metadata that matplotlib would fill with the clock or with its version.
CHANGING_METADATA = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG or PNG, by the suffix of `path`."""
    suffix = Path(path).suffix.lstrip(".")
    # A fixed salt: SVG elements are else named at random.
    with mpl.rc_context({"svg.hashsalt": "bioscan1m"}), write_aside(path) as part:
        figure.savefig(part, format=suffix, dpi=DOTS_PER_INCH, metadata=CHANGING_METADATA[suffix])
