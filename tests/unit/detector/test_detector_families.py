"""Any detector that transformers knows is trained, saved, loaded and run by the same code as DETR."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from detector_families import family_config
from small_detectors import FINE_TUNING, PREPROCESSOR, example, write_detector
from transformers import AutoModelForObjectDetection, PreTrainedModel

from bioscan1m.boxes.geometry import intersection_over_union
from bioscan1m.detector.architecture import (
    keep_heads_in_float32,
    read_config,
    size_multiple,
    understands_padding,
)
from bioscan1m.detector.batches import as_fractions, collate
from bioscan1m.detector.model import Detector, load_base, load_detector, save_detector
from bioscan1m.detector.training import detection_loss, fine_tune
from bioscan1m.networks.device import prepare_device
from bioscan1m.networks.training_state import TrainingState

CPU = torch.device("cpu")
SIZE = (96, 64)
EXAMPLES = [*(example(seed, SIZE, empty=seed == 3) for seed in range(6)), example(9, (64, 64))]
FAMILIES = ["detr", "conditional_detr", "dab-detr", "deformable_detr", "rt_detr", "rt_detr_v2", "d_fine", "yolos"]


def network(family: str, labels: int = 1) -> PreTrainedModel:
    torch.manual_seed(0)
    return AutoModelForObjectDetection.from_config(family_config(family, labels))


@pytest.fixture(params=FAMILIES)
def family(request) -> str:
    return request.param


@pytest.fixture
def files(family, tmp_path):
    """A detector of the family in its folder, with the preprocessor that it needs."""
    paths = write_detector(tmp_path)
    preprocessor = replace(PREPROCESSOR, shortest_side=64, longest_side=96)
    save_detector(network(family), preprocessor, *paths)
    return paths


def test_it_is_trained_and_computes_the_same_once_saved_and_loaded(files, tmp_path):
    model, preprocessor = load_base(*files[:2]), load_detector(*files, CPU).preprocessor
    settings = replace(FINE_TUNING, epochs=1, scales=[1.0, 0.5])
    device = prepare_device(threads=1, seed=1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    multiple = replace(preprocessor, multiple=size_multiple(read_config(files[1])))
    history = fine_tune(model, EXAMPLES, multiple, settings, device, TrainingState(tmp_path / "state", ""))
    assert np.isfinite(list(history[0].values())).all() and {"loss", "loss_bbox", "loss_giou"} <= set(history[0])
    assert sum(not torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items()) > 20
    save_detector(model, preprocessor, *files)
    images = [item.image.pixels for item in EXAMPLES[:6]]
    trained = Detector(model.eval(), preprocessor, CPU).predict(images)
    loaded = load_detector(*files, CPU).predict(images)
    np.testing.assert_allclose(loaded.boxes, trained.boxes, atol=1e-4)
    np.testing.assert_allclose(loaded.scores, trained.scores, atol=1e-4)


def test_boxes_are_corners_and_do_not_depend_on_the_batch(files):
    detector = load_detector(*files, CPU)
    images = [item.image.pixels for item in EXAMPLES[:6]]
    boxes, scores = detector.predict(images)
    assert boxes.shape[:2] == scores.shape and boxes.min() >= 0 and boxes.max() <= 1
    assert (boxes[..., :2] <= boxes[..., 2:]).all()
    assert ((scores > 0) & (scores < 1)).all()
    for best, score, image in zip(*detector.predict(images).best(), images, strict=True):
        alone = detector.predict([image])
        as_sure = alone.boxes[0][
            alone.scores[0] >= score - 1e-4
        ]  # of two that are equally sure, either may be the best
        assert alone.scores.max() == pytest.approx(score, abs=1e-4)
        assert intersection_over_union(np.broadcast_to(best, as_sure.shape), as_sure).max() >= 0.99


def test_mixed_precision_changes_the_loss_by_little(family):
    batch = collate([as_fractions(item) for item in EXAMPLES[:3]])
    losses = []
    for precision in ("float32", "bfloat16"):
        model = network(family).train()  # the same weights, and then the same dropout and denoising queries
        keep_heads_in_float32(model)
        loss, _ = detection_loss(model, batch, PREPROCESSOR, precision)
        loss.backward()
        losses.append(loss.item())
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)
    assert losses[0] != losses[1] and losses[1] == pytest.approx(losses[0], rel=0.03)


def test_a_base_with_other_classes_gets_new_heads_for_insects(family, files):
    base = network(family, labels=5)
    save_detector(base, PREPROCESSOR, *files)
    model = load_base(*files[:2])
    assert model.config.id2label == {0: "insect"}
    weights = model.state_dict()
    shared = {name: tensor for name, tensor in base.state_dict().items() if tensor.shape == weights[name].shape}
    same = [name for name, tensor in shared.items() if torch.equal(tensor, weights[name])]
    assert len(same) > 0.8 * len(weights)


def test_real_time_detectors_want_sides_of_multiples_of_32_and_know_no_padding(family):
    real_time = family in ("rt_detr", "rt_detr_v2", "d_fine")
    assert size_multiple(family_config(family).to_dict()) == (32 if real_time else 1)
    assert understands_padding(network(family)) == (not real_time and family != "yolos")
