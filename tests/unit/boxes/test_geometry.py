"""The IoU is what the definition says, for any pair of boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.boxes.geometry import area, intersection_over_union

corner = st.floats(-3000, 3000, width=32)
side = st.floats(0.125, 3000, width=32)
box = st.tuples(corner, corner, side, side).map(lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3]))
pairs = st.lists(st.tuples(box, box), min_size=1, max_size=8).map(lambda pairs: np.array(pairs).transpose(1, 0, 2))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (2, 2, 7, 6), 0.2),  # one inside the other
        ((0, 0, 10, 10), (10, 0, 20, 10), 0),  # they touch
        ((0, 0, 10, 10), (30, 30, 40, 40), 0),
        ((5, 5, 5, 5), (5, 5, 5, 5), 0),  # no area at all
        ((10, 10, 0, 0), (0, 0, 10, 10), 0),  # turned inside out
    ],
)
def test_known_overlaps(first, second, expected):
    assert intersection_over_union(np.array([first]), np.array([second])) == pytest.approx([expected])


@given(pairs)
def test_iou_is_symmetric_and_between_0_and_1(pair):
    boxes, others = pair
    overlap = intersection_over_union(boxes, others)
    assert overlap.shape == (len(boxes),)
    assert np.array_equal(overlap, intersection_over_union(others, boxes))
    assert np.all((overlap >= 0) & (overlap <= 1))


@given(pairs)
def test_iou_of_a_box_with_itself_is_1(pair):
    assert np.all(intersection_over_union(pair[0], pair[0]) == 1)


@given(pairs, st.floats(0.25, 4), st.floats(-100, 100))
def test_iou_does_not_depend_on_scale_and_place(pair, scale, shift):
    boxes, others = pair
    moved = intersection_over_union(boxes * scale + shift, others * scale + shift)
    assert moved == pytest.approx(intersection_over_union(boxes, others), abs=1e-6)


def test_no_boxes():
    assert intersection_over_union(np.empty((0, 4)), np.empty((0, 4))).shape == (0,)


def test_area():
    assert area(np.array([[0, 0, 3, 4], [3, 4, 0, 0], [1, 1, 1, 9]])).tolist() == [12, 0, 0]
