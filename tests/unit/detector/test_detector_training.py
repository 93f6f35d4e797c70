"""Training lowers the loss, gives the same weights each time, and stops where it goes astray."""

from __future__ import annotations

import csv
import os
import signal
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_detectors import FINE_TUNING, PREPROCESSOR, example, small_model
from small_memory import give_room_for
from transformers.models.detr.modeling_detr import DetrFrozenBatchNorm2d

from bioscan1m.detector.batch_norm import fold_batch_norm, thaw_batch_norm
from bioscan1m.detector.batches import as_fractions, collate, epoch_batches, flipped, scaled_down
from bioscan1m.detector.training import (
    Training,
    detection_loss,
    fine_tune,
    learning_rate_factor,
    parameter_groups,
)
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tsv import write_numbers
from bioscan1m.networks.device import prepare_device
from bioscan1m.networks.training_state import TrainingState

EXAMPLES = [*(example(seed) for seed in range(11)), example(11, empty=True)]


@pytest.fixture
def state(tmp_path) -> TrainingState:
    """Where a training keeps its state."""
    return TrainingState(tmp_path / "model.unfinished", "recipe")


@pytest.fixture
def trained(tmp_path):
    """A function that trains with some settings changed, and returns the weights and the history."""

    def train(monitor=(), folder: Path = tmp_path, **settings: object):
        chosen = replace(FINE_TUNING, **settings)
        model, device = small_model(), prepare_device(chosen.threads, chosen.seed)
        kept = TrainingState(folder / "model.unfinished", str(chosen))
        history = fine_tune(model, EXAMPLES, PREPROCESSOR, chosen, device, kept, monitor)
        kept.remove()
        return model.state_dict(), history

    return train


def changed(weights: dict[str, torch.Tensor]) -> set[str]:
    before = small_model().state_dict()
    assert before.keys() == weights.keys()
    return {name for name, tensor in weights.items() if not torch.equal(tensor, before[name])}


def test_training_lowers_the_loss(trained):
    history = trained(epochs=12)[1]
    assert [row["epoch"] for row in history] == list(range(1, 13))
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]


def test_training_gives_the_same_weights_each_time(trained):
    settings = {"flip": True, "scales": [1.0, 0.5], "learning_rate_decay": "cosine"}
    (weights, history), (again, history_again) = trained(**settings), trained(**settings)
    assert history == history_again
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    other = trained(**settings, seed=2)[0]
    assert not all(torch.equal(weights[name], other[name]) for name in weights)


def test_a_pretrained_backbone_keeps_batch_norm_stem_and_first_stage(trained):
    names = changed(trained(train_batch_norm=False)[0])
    assert "bbox_predictor.layers.0.weight" in names
    assert "model.backbone.model.encoder.stages.1.layers.0.layer.0.convolution.weight" in names
    assert not [name for name in names if "normalization" in name or "embedder" in name or "stages.0" in name]


def test_a_new_backbone_learns_whole_and_ends_with_frozen_batch_norm(state):
    model = small_model()
    fine_tune(model, EXAMPLES, PREPROCESSOR, FINE_TUNING, torch.device("cpu"), state)
    names = changed(model.state_dict())
    assert "model.backbone.model.embedder.embedder.convolution.weight" in names
    assert "model.backbone.model.embedder.embedder.normalization.running_mean" in names
    kinds = [type(module).__name__ for module in model.modules() if "BatchNorm" in type(module).__name__]
    assert set(kinds) == {"DetrFrozenBatchNorm2d"}


def test_a_learning_rate_of_zero_freezes_the_backbone(trained):
    names = changed(trained(train_batch_norm=False, backbone_learning_rate=0)[0])
    assert names and not [name for name in names if "backbone" in name]


def test_the_two_rates():
    settings = replace(FINE_TUNING, learning_rate=1e-4, backbone_learning_rate=1e-5)
    model = small_model()
    others, backbone = parameter_groups(model, settings)
    assert (others["base_rate"], backbone["base_rate"]) == (1e-4, 1e-5)
    assert len(others["params"]) + len(backbone["params"]) == len(list(model.parameters()))


def test_thawed_batch_norm_computes_the_same_until_it_learns():
    model, pixels = small_model(), torch.randn(2, 3, 48, 64)
    for module in model.modules():
        if isinstance(module, DetrFrozenBatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    frozen = model(pixels).pred_boxes
    thaw_batch_norm(model)
    torch.testing.assert_close(model.eval()(pixels).pred_boxes, frozen)


def test_folded_batch_norm_computes_the_same():
    model, pixels = small_model(), torch.randn(2, 3, 48, 64)
    for module in model.modules():
        if isinstance(module, DetrFrozenBatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
            module.weight.uniform_(0.5, 2)
            module.bias.uniform_(-1, 1)
    with torch.inference_mode():
        before = model(pixels).pred_boxes
        fold_batch_norm(model)
        torch.testing.assert_close(model(pixels).pred_boxes, before, rtol=1e-4, atol=1e-5)
    assert not [module for module in model.modules() if isinstance(module, DetrFrozenBatchNorm2d)]


@pytest.mark.parametrize("step", range(1, 7))
def test_a_training_killed_at_any_step_ends_with_the_same_weights(trained, monkeypatch, tmp_path, step):
    """Six steps in two epochs of three; batch norm, optimizer and learning rate are all on their way."""
    settings = {"learning_rate_decay": "cosine", "flip": True, "scales": [1.0, 0.5]}
    weights, history = trained(folder=tmp_path / "whole", **settings)
    steps, whole_step = [], Training.train_step

    def killed(self, batch):
        steps.append(batch)
        if len(steps) == step:
            raise KeyboardInterrupt
        return whole_step(self, batch)

    monkeypatch.setattr(Training, "train_step", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(**settings)
    assert (tmp_path / "model.unfinished").exists() == (step > 3)
    again, history_again = trained(**settings)
    assert len(steps) == step + (6 if step <= 3 else 3)
    assert history_again == history
    assert all(torch.equal(again[name], weights[name]) for name in weights)
    assert not (tmp_path / "model.unfinished").exists()


@settings(max_examples=10, deadline=None)
@given(cuts=st.sets(st.integers(1, 6), max_size=3), how=st.sampled_from([signal.SIGTERM, signal.SIGUSR1, None]))
def test_a_training_cut_after_any_steps_ends_with_the_same_weights(cuts, how):
    """Cut by a signal, or by a stand-in for SIGKILL, in two epochs of three steps with dropout, flips and scales."""
    with tempfile.TemporaryDirectory() as folder:
        weights, history, steps = trained_cut(Path(folder), cuts, how)
    whole_weights, whole_history = uncut()
    assert steps == 6 + (0 if how else len(cuts))  # of a kill only its own step is lost
    assert history == whole_history
    assert all(torch.equal(weights[name], whole_weights[name]) for name in whole_weights)


def trained_cut(folder: Path, cuts: set[int], how: signal.Signals | None):
    """Train, cut after these steps, counted over all attempts; return weights, history and the number of steps."""
    chosen = replace(FINE_TUNING, learning_rate_decay="cosine", flip=True, scales=[1.0, 0.5])
    steps, whole_step = [], Training.train_step

    def cut(self, batch):
        row = whole_step(self, batch)
        steps.append(row)
        if len(steps) in cuts and how is None:
            raise KeyboardInterrupt
        if len(steps) in cuts:
            os.kill(os.getpid(), how)
        return row

    with mock.patch.object(Training, "train_step", cut):
        for _ in range(len(cuts) + 1):
            model, device = small_model(), prepare_device(chosen.threads, chosen.seed)
            for module in model.modules():
                if hasattr(module, "dropout"):
                    module.dropout = 0.2
            kept = TrainingState(folder / "model.unfinished", "recipe", seconds=600 if how else 0)
            try:
                history = fine_tune(model, EXAMPLES, PREPROCESSOR, chosen, device, kept)
            except KeyboardInterrupt:
                continue
            except InputError as error:
                assert f"asked to end ({how.name})" in str(error)
    return model.state_dict(), history, len(steps)


@cache
def uncut():
    """Weights and history of the same training without a cut."""
    with tempfile.TemporaryDirectory() as folder:
        return trained_cut(Path(folder), set(), None)[:2]


@pytest.mark.parametrize(("room", "said"), [(3, "2 fit: set detector.fine_tuning.batch_size in"), (0, "not even one")])
def test_a_batch_too_large_for_the_memory_is_an_error_that_says_how_many_fit(state, room, said):
    model = small_model()
    give_room_for(model, room)
    with pytest.raises(InputError, match=f"out of memory with 4 images of 64x48 pixels in a pass; {said}"):
        fine_tune(model, EXAMPLES, PREPROCESSOR, FINE_TUNING, torch.device("cpu"), state)


def test_monitored_images_too_many_for_the_memory_are_told_with_the_setting_of_the_training():
    model = small_model()
    give_room_for(model, 4)
    settings = replace(FINE_TUNING, batch_size=6)
    optimizer = torch.optim.AdamW(parameter_groups(model, settings))
    training = Training(model, optimizer, PREPROCESSOR, settings, len(EXAMPLES))
    with pytest.raises(InputError, match=r"with 6 images .* 3 fit: set detector\.fine_tuning\.batch_size"):
        training.measure(EXAMPLES)


def test_the_monitored_images_are_measured_after_each_epoch_and_change_nothing(trained):
    (weights, history), (alone, _) = trained(monitor=EXAMPLES[:4]), trained()
    assert [0 <= row[name] <= 1 for row in history for name in ("ap_75", "ar_50_95", "mean_iou")] == [True] * 6
    assert all(torch.equal(weights[name], alone[name]) for name in weights)


def test_a_training_that_goes_astray_stops(trained):
    with pytest.raises(InputError, match=r"epoch 1, step \d: the (predicted boxes are not|loss is)"):
        trained(learning_rate=1e12)


def test_images_without_any_box_teach_nothing(state):
    empty = [example(1, empty=True)]
    with pytest.raises(InputError, match="none of the 1 training images has a box"):
        fine_tune(small_model(), empty, PREPROCESSOR, FINE_TUNING, torch.device("cpu"), state)


def test_monitored_images_without_any_box_are_refused_before_the_training(trained):
    with pytest.raises(InputError, match=r"fine_tuning\.monitor: none of its images has a box"):
        trained(monitor=[example(1, empty=True)])


def test_a_batch_of_empty_wells_is_valid():
    batch = collate([as_fractions(example(seed, empty=True)) for seed in range(2)])
    loss, terms = detection_loss(small_model(), batch, PREPROCESSOR, "auto")
    assert loss.isfinite() and terms["loss_bbox"] == 0


def test_padding_is_masked():
    wide, high = as_fractions(example(1, (64, 32))), as_fractions(example(2, (32, 64)))
    batch = collate([wide, high])
    assert batch.pixels.shape == (2, 3, 64, 64)
    assert batch.mask.sum(dim=(1, 2)).tolist() == [64 * 32, 32 * 64]
    assert batch.pixels[0, :, 32:].sum() == 0
    np.testing.assert_array_equal(batch.pixels[1, :, :, :32], high[0])


def test_boxes_of_a_detector_that_knows_no_padding_are_fractions_of_the_padded_image():
    wide, high = as_fractions(example(1, (64, 32))), as_fractions(example(2, (32, 64)))
    masked, padded = collate([wide, high]), collate([wide, high], padded_boxes=True)
    shares = [torch.tensor([1, 0.5, 1, 0.5]), torch.tensor([0.5, 1, 0.5, 1])]
    for ours, theirs, share in zip(padded.labels, masked.labels, shares, strict=True):
        torch.testing.assert_close(ours["boxes"], theirs["boxes"] * share)


@given(st.floats(0.1, 1), st.sampled_from([1, 32]))
def test_a_scaled_image_keeps_its_content_in_a_size_that_an_input_can_have(scale, multiple):
    pixels = example(1, (320, 256)).image.pixels
    small = scaled_down(pixels, replace(PREPROCESSOR, multiple=multiple), scale)
    assert small.shape[1] % multiple == small.shape[2] % multiple == 0
    assert abs(small.shape[1] - 256 * scale) <= max(multiple, 1) and abs(small.shape[2] - 320 * scale) <= multiple
    assert abs(small.mean() - pixels.mean()) < 8


def test_every_epoch_has_all_examples_in_another_order():
    settings = replace(FINE_TUNING, batch_size=5)
    epochs = [
        [batch.pixels for batch in epoch_batches(EXAMPLES, settings, epoch, PREPROCESSOR, False)] for epoch in (1, 2)
    ]
    assert [[len(pixels) for pixels in epoch] for epoch in epochs] == [[5, 5, 2]] * 2
    first, second = (torch.cat(epoch) for epoch in epochs)
    assert not torch.equal(first, second)
    whole = sorted(pixels.numpy().tobytes() for pixels in first)
    assert whole == sorted(pixels.numpy().tobytes() for pixels in second)
    assert whole == sorted(example.image.pixels.tobytes() for example in EXAMPLES)


@given(st.integers(0, 100), st.booleans(), st.booleans())
def test_flips_move_the_box_with_the_insect(seed, horizontally, vertically):
    pixels, boxes = flipped(*as_fractions(example(seed)), horizontally, vertically)
    dark = pixels[0] < 100
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    x, y, width, height = boxes[0] * [64, 48, 64, 48]
    np.testing.assert_allclose([x - width / 2, x + width / 2], [columns[0], columns[-1] + 1], atol=1)
    np.testing.assert_allclose([y - height / 2, y + height / 2], [rows[0], rows[-1] + 1], atol=1)


def test_the_learning_rate_decays_as_a_cosine():
    cosine = replace(FINE_TUNING, epochs=4, learning_rate_decay="cosine")
    factors = [learning_rate_factor(cosine, done) for done in (0, 1, 2, 4)]
    np.testing.assert_allclose(factors, [1, (1 + 0.5**0.5) / 2, 0.5, 0], atol=1e-12)
    assert learning_rate_factor(replace(cosine, learning_rate_decay="none"), 3) == 1


def test_the_history_has_a_row_for_each_epoch(tmp_path, trained):
    history = trained(learning_rate_decay="cosine")[1]
    write_numbers(tmp_path / "history.tsv", list(history[0]), history, digits=6)
    with open(tmp_path / "history.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert list(rows[0]) == ["epoch", "learning_rate", "loss", "loss_ce", "loss_bbox", "loss_giou"]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) == pytest.approx(history[1]["loss"], rel=1e-5)
