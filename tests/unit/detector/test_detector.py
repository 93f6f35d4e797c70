"""A detector gives the same boxes from its files and in any batch; files that do not fit are refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_detectors import PREPROCESSOR, small_detector, small_model, well, write_detector
from small_memory import give_room_for

from bioscan1m.boxes.geometry import intersection_over_union
from bioscan1m.detector.architecture import build_model
from bioscan1m.detector.model import FoundBoxes, load_base, load_detector, normalise, save_detector
from bioscan1m.foundation.errors import InputError

IMAGES = [np.asarray(well(np.random.default_rng(seed))[0]).transpose(2, 0, 1) for seed in range(8)]


@pytest.fixture
def files(tmp_path):
    paths = write_detector(tmp_path)
    save_detector(small_model(), PREPROCESSOR, *paths)
    return paths


def test_boxes_do_not_depend_on_the_batch():
    detector = small_detector()
    together = detector.predict(IMAGES)
    alone = [detector.predict([image]) for image in IMAGES]
    boxes = np.concatenate([one.boxes for one in alone])
    assert intersection_over_union(together.boxes.reshape(-1, 4), boxes.reshape(-1, 4)).min() >= 0.99
    np.testing.assert_allclose(together.scores, np.concatenate([one.scores for one in alone]), atol=1e-5)


def test_too_many_images_for_the_memory_are_an_error_that_says_how_many_fit():
    detector = small_detector()
    give_room_for(detector.model, 3)
    assert len(detector.predict(IMAGES[:3]).boxes) == 3
    told = "8 images of 64x48 pixels in a pass; 2 fit: set detector.detection.batch_size in the config to 2"
    with pytest.raises(InputError, match=told):
        detector.predict(IMAGES)


def test_predictions_are_corners_within_the_image():
    boxes, scores = small_detector().predict(IMAGES)
    assert boxes.shape == (8, 3, 4) and scores.shape == (8, 3)
    assert boxes.min() >= 0 and boxes.max() <= 1
    assert (boxes[..., :2] <= boxes[..., 2:]).all()
    assert ((scores > 0) & (scores < 1)).all()


def test_the_best_box_has_the_highest_score():
    boxes = np.arange(16, dtype=np.float32).reshape(2, 2, 4)
    best, scores = FoundBoxes(boxes, np.array([[0.2, 0.7], [0.9, 0.1]])).best()
    assert best.tolist() == [[4, 5, 6, 7], [8, 9, 10, 11]]
    assert scores.tolist() == [0.7, 0.9]


def test_normalised_pixels_have_the_statistics_of_the_preprocessor():
    grey = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    expected = [(1 - mean) / std for mean, std in zip(PREPROCESSOR.mean, PREPROCESSOR.std, strict=True)]
    torch.testing.assert_close(normalise(grey, PREPROCESSOR)[0, :, 0, 0], torch.tensor(expected))


def test_a_saved_detector_predicts_the_same(files):
    loaded = load_detector(*files, torch.device("cpu"))
    assert loaded.preprocessor == PREPROCESSOR
    np.testing.assert_allclose(loaded.predict(IMAGES).boxes, small_detector().predict(IMAGES).boxes, atol=1e-5)


def test_a_loaded_detector_can_see_less_and_compute_less_precisely(files):
    small = load_detector(*files, torch.device("cpu"), {"shortest_side": 24, "longest_side": 32}, "bfloat16")
    assert small.preprocessor.input_size(640, 480) == (32, 24)
    halves = [image[:, ::2, ::2] for image in IMAGES]
    boxes = small.predict(halves).boxes
    assert boxes.dtype == np.float32 and boxes.shape == (8, 3, 4)
    exact = load_detector(*files, torch.device("cpu")).predict(halves).boxes
    assert 0 < np.abs(boxes - exact).mean() < 0.01
    inside = boxes[(boxes > 0) & (boxes < 1)]
    assert len(np.unique(inside)) > 0.95 * inside.size  # the steps of bfloat16 would make many of them equal


def test_the_same_detector_gives_the_same_bytes(files, tmp_path):
    again = write_detector(tmp_path / "again")
    save_detector(small_model(), PREPROCESSOR, *again)
    for path, other in zip(files, again, strict=True):
        assert path.read_bytes() == other.read_bytes()


def test_weights_of_another_architecture_are_listed(files):
    weights = load_file(files[0])
    weights["model.extra.weight"] = torch.ones(2)
    del weights["bbox_predictor.layers.0.bias"]
    weights["class_labels_classifier.bias"] = torch.ones(7)
    save_file(weights, files[0])
    with pytest.raises(InputError) as error:
        load_detector(*files, torch.device("cpu"))
    message = str(error.value)
    assert str(files[0]) in message
    assert "1 missing: bbox_predictor.layers.0.bias" in message
    assert "1 unexpected: model.extra.weight" in message
    assert "1 of another shape: class_labels_classifier.bias (7,), not (2,)" in message


def test_weights_that_are_not_numbers_are_named(files):
    weights = load_file(files[0])
    weights["class_labels_classifier.bias"][0] = torch.nan
    save_file(weights, files[0])
    with pytest.raises(InputError, match=r"not finite: class_labels_classifier.bias"):
        load_detector(*files, torch.device("cpu"))


@pytest.mark.parametrize(
    ("place", "content", "named"),
    [
        (0, "no tensors", "no readable safetensors file"),
        (1, "{", "config.json: no readable config"),
        (1, '{"model_type": "vit"}', "not the config of a detector"),
        (1, '{"model_type": "detr", "backbone": "swin_tiny"}', "the detector's backbone is swin_tiny"),
        (2, "{}", "preprocessor.json: no preprocessor"),
    ],
)
def test_a_bad_file_is_named(files, place, content, named):
    files[place].write_text(content)
    with pytest.raises(InputError, match=named):
        load_detector(*files, torch.device("cpu"))


def test_a_base_with_other_classes_gets_a_new_head_for_insects(tmp_path):
    paths = write_detector(tmp_path)
    base = small_model(labels=5)
    save_detector(base, PREPROCESSOR, *paths)
    model = load_base(*paths[:2])
    assert model.config.id2label == {0: "insect"}
    assert model.class_labels_classifier.out_features == 2  # and "no object"
    for name, tensor in base.state_dict().items():
        if not name.startswith("class_labels_classifier"):
            torch.testing.assert_close(model.state_dict()[name], tensor, rtol=0, atol=0)


def test_another_form_of_box_is_no_base_whatever_its_classes(tmp_path):
    paths = write_detector(tmp_path)
    save_detector(small_model(labels=5), PREPROCESSOR, *paths)
    weights = load_file(paths[0])
    weights["bbox_predictor.layers.2.weight"] = torch.ones(6, 16)
    save_file(weights, paths[0])
    with pytest.raises(
        InputError, match=r"1 of another shape: bbox_predictor.layers.2.weight \(6, 16\), not \(4, 16\)"
    ):
        load_base(*paths[:2])


def test_a_base_in_half_precision_is_trained_and_run_in_float32(tmp_path):
    paths = write_detector(tmp_path)
    save_detector(small_model().half(), PREPROCESSOR, *paths)
    assert {parameter.dtype for parameter in load_base(*paths[:2]).parameters()} == {torch.float32}
    assert load_detector(*paths, torch.device("cpu")).predict(IMAGES).boxes.dtype == np.float32


def test_a_base_of_insects_is_kept_whole(files):
    model, base = load_base(*files[:2]), small_model()
    for name, tensor in base.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], tensor, rtol=0, atol=0)


def test_a_missing_head_is_no_base_of_insects(files):
    settings = json.loads(files[1].read_text())
    weights = {name: tensor for name, tensor in load_file(files[0]).items() if "class_labels" not in name}
    with pytest.raises(InputError, match=r"2 missing: class_labels_classifier"):
        build_model(settings, weights, files[0])
