"""A config that states what version 0.1.0 did gives the parameters that its jobs had."""

from __future__ import annotations

from bioscan1m.boxes.geometry import Crop
from bioscan1m.metadata.split_settings import Splits
from bioscan1m.plan.recorded_parameters import recorded_parameters, recorded_resize
from resize_chunk import FirstResize, Resize
from workflow_runs import demo_config

BILINEAR = {"pixels": 256, "side": "shorter", "filter": "bilinear", "jpeg_quality": 75, "jpeg_quality_of_others": 75}


def test_what_is_as_before_is_recorded_as_before():
    config = demo_config()
    config["crop"]["rounding"] = "outward"
    assert "rounding" not in recorded_parameters(config, "crop")
    assert not {"group", "closed_subsets", "duplicates"} & set(recorded_parameters(config, "splits"))
    assert recorded_resize(BILINEAR) == {"short_side": 256, "jpeg_quality": 75}


def test_other_values_are_recorded():
    config = demo_config()
    config["splits"]["group"] = "sampleid"
    assert recorded_parameters(config, "splits")["group"] == "sampleid"
    assert recorded_parameters(config, "crop")["rounding"] == "nearest"
    for other in ({"filter": "lanczos"}, {"jpeg_quality": "keep"}, {"side": "height"}):
        assert recorded_resize(BILINEAR | other) == BILINEAR | other


def test_jobs_read_both_forms():
    config = demo_config()
    config["crop"]["rounding"] = "outward"
    assert Crop.recorded(recorded_parameters(config, "crop")) == Crop(**config["crop"])
    assert Splits.from_config(recorded_parameters(config, "splits")) == Splits.from_config(config["splits"])
    assert Resize.recorded(recorded_resize(BILINEAR)) == FirstResize(**BILINEAR)
    other = BILINEAR | {"side": "height"}
    assert Resize.recorded(recorded_resize(other)) == Resize(**other)
