"""A figure shows the names of classes and files letter by letter, whatever is in them."""

from __future__ import annotations

import io

import matplotlib as mpl
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from bioscan1m.foundation.figures import literal, save_figure
from bioscan1m.foundation.gallery import draw_gallery

# What a formula is made of, and letters.
of_formulas = st.text(st.sampled_from("$$$\\_^{}%&#~ ab"), min_size=1, max_size=8)
BUFFER = io.BytesIO()
Image.new("RGB", (4, 4)).save(BUFFER, "JPEG")
PHOTOGRAPH = BUFFER.getvalue()


def drawn(text: str) -> bytes:
    """The pixels of a title."""
    figure, written = Figure(figsize=(2, 1)), io.BytesIO()
    figure.suptitle(text)
    figure.savefig(written, format="png")
    return written.getvalue()


@settings(deadline=None, max_examples=60)
@given(name=of_formulas)
def test_a_name_is_drawn_as_if_there_were_no_formulas(name):
    with mpl.rc_context({"text.parse_math": False}):
        expected = drawn(name)
    assert drawn(literal(name)) == expected


@settings(deadline=None, max_examples=20)
@given(name=of_formulas, title=of_formulas)
def test_a_gallery_is_drawn_whatever_the_names(tmp_path_factory, name, title):
    path = tmp_path_factory.mktemp("figures") / "gallery.png"
    save_figure(draw_gallery({title: [(PHOTOGRAPH, name)]}), path)
    assert path.stat().st_size > 0
