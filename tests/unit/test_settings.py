"""The settings that scripts build from the config have exactly the keys of the schema."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from bioscan1m.boxes.geometry import Crop
from bioscan1m.crop.detection import Detection, Machine
from bioscan1m.detector.settings import FineTuning
from resize_chunk import Resize

SCHEMA = yaml.safe_load((Path(__file__).parents[2] / "rules/schemas/config.schema.yaml").read_text(encoding="utf-8"))
DETECTOR = SCHEMA["properties"]["detector"]["properties"]


@pytest.mark.parametrize(
    ("settings", "section"),
    [
        (Crop, SCHEMA["properties"]["crop"]),
        (Resize, SCHEMA["properties"]["resize"]),
        (FineTuning, DETECTOR["fine_tuning"]),
    ],
)
def test_settings_have_the_keys_of_their_section(settings, section):
    assert {field.name for field in fields(settings)} == section["properties"].keys() == set(section["required"])


def test_settings_of_the_detection_and_of_its_machine_share_a_section():
    keys = {field.name for kind in (Detection, Machine) for field in fields(kind)}
    assert keys - {"passes"} | {"threads"} == DETECTOR["detection"]["properties"].keys()
