"""The mean and deviation that weights state, in the forms in which hubs publish them; what cannot be used is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.channels import (
    CHANNELS_BEFORE,
    UNIT_RANGE,
    Channels,
    preprocessor_channels,
    read_channels,
    stated_channels,
    write_channels,
)

MEAN, STD = [0.5, 0.25, 0.125], [0.5, 0.25, 0.5]
STATED = Channels(tuple(MEAN), tuple(STD))
PREPROCESSOR = {"image_mean": MEAN, "image_std": STD}
TIMM = {"architecture": "vit_base_patch16_224", "global_pool": "token"}


def folder_with(folder: Path, **files: Any) -> str:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return str(folder)


@pytest.mark.parametrize(
    "files",
    [
        {"preprocessor_config": {"do_normalize": True, "do_rescale": True, "rescale_factor": 1 / 255, **PREPROCESSOR}},
        {"preprocessor_config": PREPROCESSOR, "config": {"model_type": "vit"}},
        {"config": TIMM | {"pretrained_cfg": {"mean": MEAN, "std": STD, "input_size": [3, 224, 224]}}},
        {"config": TIMM | {"mean": MEAN, "std": STD}},  # timm before 0.9
        {"channels": {"mean": MEAN, "std": STD}, "config": {}},  # what this pipeline has fetched
        {"channels": None, "preprocessor_config": PREPROCESSOR},
    ],
)
def test_weights_state_their_channels_as_hubs_publish_them(tmp_path, files):
    assert stated_channels(folder_with(tmp_path, **files)) == STATED


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"config": {"model_type": "resnet", "num_labels": 3}},
        {"config": TIMM},
        {"preprocessor_config": {"do_resize": True}},
        {"preprocessor_config": {"image_mean": MEAN}},
        {"preprocessor_config": {"image_mean": MEAN, "image_std": None}},
        {"channels": None},
    ],
)
def test_weights_that_state_nothing_are_known_as_such(tmp_path, files):
    assert stated_channels(folder_with(tmp_path, **files)) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_mean": [0.5], "image_std": STD}, "no three numbers"),
        ({"image_mean": MEAN, "image_std": [0.5, 0, 0.5]}, "deviations above 0"),
        ({"image_mean": 0.5, "image_std": 0.5}, "no three numbers"),
        ({"image_mean": MEAN, "image_std": [0.5, float("nan"), 0.5]}, "no three numbers"),
        ({"image_mean": ["a", "b", "c"], "image_std": STD}, "no three numbers"),
        ({"do_flip_channel_order": True, "do_normalize": False}, "BGR"),  # MobileViT
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        stated_channels(folder_with(tmp_path, preprocessor_config=settings))


@given(
    pixel=st.integers(0, 255),
    factor=st.sampled_from([1 / 255, 0.00392156862745098, 1 / 127.5, 1.0]),
    rescaled=st.booleans(),
    offset=st.booleans(),
    normalised=st.booleans(),
)
def test_an_input_is_what_the_preprocessor_makes_of_a_pixel(pixel, factor, rescaled, offset, normalised):
    offset = offset and rescaled
    settings = {"do_rescale": rescaled, "rescale_factor": factor, "rescale_offset": offset, "do_normalize": normalised}
    channels = preprocessor_channels(settings | PREPROCESSOR, "hub")
    value = (pixel * factor if rescaled else pixel) - offset
    for channel in range(3):
        expected = (value - MEAN[channel]) / STD[channel] if normalised else value
        found = (pixel / 255 - channels.mean[channel]) / channels.std[channel]
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_channels_come_back_from_their_file(tmp_path):
    for channels in (UNIT_RANGE, CHANNELS_BEFORE, STATED):
        write_channels(tmp_path / "channels.json", channels)
        assert read_channels(tmp_path / "channels.json") == channels


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no readable mean"), ("{", "no readable mean"), ("null", "do not state"), ("{}", "do not state")],
)
def test_a_file_without_channels_is_named(tmp_path, content, message):
    path = tmp_path / "channels.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message) as raised:
        read_channels(path)
    assert str(tmp_path) in str(raised.value)
