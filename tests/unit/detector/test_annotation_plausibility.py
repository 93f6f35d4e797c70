"""Boxes that cannot be what they are said to be are refused, and the form that fits is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.detector.annotations import AnnotatedImage
from bioscan1m.detector.coco_files import GivenImage
from bioscan1m.detector.faults import Faults
from bioscan1m.detector.given_boxes import BOX, GivenBox
from bioscan1m.detector.masks import Outline
from bioscan1m.detector.plausibility import cut_at_edges, fit_boxes, is_scaled
from bioscan1m.foundation.errors import InputError

SIZE = (640, 480)
WHOLE = [(10, 20, 100, 80), (300, 200, 250, 150), (0, 0, 640, 480)]


def image(*boxes, size=None, area=None, polygon=None):
    outline = None if polygon is None else Outline(polygon, None)
    given = [GivenBox(f"annotation {place} of a.jpg", BOX, box, outline, area) for place, box in enumerate(boxes)]
    return GivenImage("a.jpg", None, size, tuple(given))


def fit(given, form="pixels", size=SIZE):
    faults = Faults("boxes.json")
    (found,) = fit_boxes([(given, size)], form, faults)
    faults.refuse()
    return cut_at_edges(found, size).tolist()


def as_corners(box):
    return (box[0], box[1], box[0] + box[2], box[1] + box[3])


def as_shares(box):
    return (box[0] / SIZE[0], box[1] / SIZE[1], box[2] / SIZE[0], box[3] / SIZE[1])


FORMS = {"pixels": tuple, "corners": as_corners, "normalised": as_shares}


@pytest.mark.parametrize("written", FORMS)
@pytest.mark.parametrize("named", FORMS)
def test_boxes_are_read_in_the_form_that_is_named_and_refused_in_others(written, named):
    boxes = image(*map(FORMS[written], WHOLE[:2]))
    if written == named:
        assert np.allclose(fit(boxes, named), [as_corners(box) for box in WHOLE[:2]])
    else:
        with pytest.raises(InputError, match=f"(?s)boxes.json: .*set `boxes: {written}` of the image set"):
            fit(boxes, named)


def test_a_box_of_the_whole_image_is_one_in_every_form():
    for form, write in FORMS.items():
        assert np.allclose(fit(image(write(WHOLE[2])), form), [[0, 0, 640, 480]])


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (image((10, 20, 110, 100), area=8000), "its area of 8000 is that of x_min, y_min"),
        (image((10, 20, 110, 100), area=101 * 81), "its area of 8181 is that of x_min, y_min"),
        (image((300, 200, 320, 230), polygon=(300, 200, 320, 230)), "its polygons lie within the corners"),
        (image((10, 20, 630, 470)), "lies outside the image of 640x480"),
        (image((0.1, 0.1, 0.9, 0.9)), "lies within one pixel"),
        (image((1, 1, 1, 1)), "lies within one pixel"),
        (image((10, 20, 0.4, 80)), "less than a pixel lies within the image"),
        (image((-0.9, 5, 1.2, 50)), "less than a pixel lies within the image"),
        (image((-1, 5, 1, 50)), "nothing lies within the image"),
        (image((10, 20, -5, 80)), "without area"),
        (image((1e308, 1e308, 1e308, 1e308)), "lies outside the image"),
    ],
)
def test_what_contradicts_pixels_is_refused(given, named):
    with pytest.raises(InputError, match=named):
        fit(given)


def test_boxes_that_agree_with_their_area_or_polygons_are_read():
    assert fit(image((10, 20, 100, 80), area=8000))
    assert fit(image((10, 20, 100, 80), area=5000))  # of a mask that is not there
    assert fit(image((10, 20, 100, 80), polygon=(12, 21, 108, 100)))
    assert fit(image((10, 20, 110, 100), area=8000), "corners") == [[10, 20, 110, 100]]


def test_boxes_that_could_be_corners_as_well_are_logged(caplog):
    assert fit(image((10, 20, 110, 100), area=None)) == [[10, 20, 120, 120]]
    assert "boxes.json: its boxes fit as x, y, width, height in pixels and as x_min" in caplog.text
    caplog.clear()
    assert fit(image((10, 20, 110, 100), area=11000)) and fit(image(WHOLE[1], (10, 20, 110, 100))) and not fit(image())
    assert not caplog.text


def test_pixels_that_are_said_to_be_corners_are_refused_by_their_area():
    with pytest.raises(InputError, match="its area of 38400 is that of x, y, width, height"):
        fit(image((10, 20, 240, 160), area=38400), "corners")


def test_all_faults_are_named_once_with_one_remedy():
    with pytest.raises(InputError) as error:
        fit(image(*[as_shares(WHOLE[0])] * 30))
    assert str(error.value).count("lies within one pixel") == 20
    assert "30 faults:" in str(error.value) and "and 10 more" in str(error.value)
    assert str(error.value).count("set `boxes:") == 1


@pytest.mark.parametrize(
    ("stated", "size"), [((320, 240), SIZE), ((1280.0, 960), SIZE), ((100, 75), (1024, 770)), ((1023, 768), (333, 250))]
)
def test_boxes_of_another_size_with_the_same_ratio_are_scaled(stated, size):
    given = image((10, 20, 50, 40), size=stated)
    across, down = size[0] / stated[0], size[1] / stated[1]
    assert np.allclose(fit(given, size=size), [[10 * across, 20 * down, 60 * across, 60 * down]])
    assert is_scaled(given, size) and not is_scaled(image(size=size), size) and not is_scaled(image(), size)


@pytest.mark.parametrize("stated", [(480, 640), (640, 640), (640, 478), (320, 238), (1, 1), (1e308, 1)])
def test_annotations_of_another_size_are_refused(stated):
    with pytest.raises(InputError, match=r"a\.jpg: the annotations are of .* pixels, the image has 640x480"):
        fit(image((10, 20, 50, 40), size=stated))


@given(st.lists(st.tuples(*[st.floats(0, 99)] * 2, *[st.floats(3, 50)] * 2), max_size=4))
def test_boxes_within_the_image_stay_inside_it(boxes):
    if any(x + w > 101 or y + h > 101 for x, y, w, h in boxes):
        with pytest.raises(InputError, match=r"a.jpg has the box .* lies outside the image of 100x100"):
            fit(image(*boxes), size=(100, 100))
    elif all(x + w < 100 and y + h < 100 for x, y, w, h in boxes):
        assert np.allclose(fit(image(*boxes), size=(100, 100)), [as_corners(box) for box in boxes] or np.empty(0))


def test_clean_boxes_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"a\.jpg: its boxes are those of an image of 80x100 pixels, .* has 100x80"):
        AnnotatedImage("a.jpg", np.array([[1.0, 2.0, 3.0, 4.0]]), (80, 100)).boxes_in(100, 80)
