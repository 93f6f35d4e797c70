"""On a GPU a pass is launched as a whole, and computes what it would kernel by kernel."""

from __future__ import annotations

import pytest
import torch
from toy_experiment import RESNET, VIT, make_package, make_settings

from bioscan1m.experiments import cuda_graphs
from bioscan1m.experiments.classifiers import build_classifier
from bioscan1m.experiments.cuda_graphs import Computation
from bioscan1m.experiments.passes import BatchLogits, BatchLoss
from bioscan1m.experiments.settings import Backbone, settings_of
from bioscan1m.experiments.training import train
from bioscan1m.networks.channels import CHANNELS_BEFORE
from bioscan1m.networks.device import prepare_device, to_device
from bioscan1m.networks.training_state import TrainingState

BATCH, CROP, CLASSES = 8, 32, 3

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def start(backbone: dict, device: torch.device, gamma: float = 0) -> BatchLoss:
    """The loss of a new model in training, the same each time."""
    torch.manual_seed(0)
    model = to_device(build_classifier(settings_of(Backbone, backbone), CLASSES, CROP), device).train()
    return BatchLoss(BatchLogits(model, CHANNELS_BEFORE, "float32"), gamma)


def random_batch(seed: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels and labels."""
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (BATCH, CROP, CROP, 3), dtype=torch.uint8, generator=draw)
    return images.to(device), torch.randint(0, CLASSES, (BATCH,), generator=draw).to(device)


@on_gpu
@pytest.mark.parametrize("gamma", [0, 2])
@pytest.mark.parametrize("backbone", [RESNET, VIT], ids=["resnet", "vit"])
def test_graphs_compute_what_the_kernels_do(backbone, gamma, caplog):
    caplog.set_level("INFO")
    device = prepare_device(1, 0, deterministic=True)
    by_kernels, by_graphs = (start(backbone, device, gamma) for _ in range(2))
    before = {name: value.clone() for name, value in by_graphs.state_dict().items()}
    graphs = Computation(by_graphs, (BATCH, CROP, CROP, 3), (BATCH,))
    assert "one by one" not in caplog.text
    assert all(torch.equal(value, before[name]) for name, value in by_graphs.state_dict().items())
    optimizers = [torch.optim.SGD(loss.parameters(), lr=0.1, momentum=0.9) for loss in (by_kernels, by_graphs)]
    for step in range(4):
        losses = []
        for compute, optimizer in zip((by_kernels, graphs), optimizers, strict=True):
            optimizer.zero_grad()
            loss = compute(*random_batch(step, device))
            (loss * 1.0).backward()
            optimizer.step()
            losses.append(loss.detach().clone())
        torch.testing.assert_close(*losses)
    for name, value in by_kernels.state_dict().items():
        torch.testing.assert_close(by_graphs.state_dict()[name], value, msg=name)


@on_gpu
def test_a_training_learns_the_same_by_graphs(tmp_path, monkeypatch, caplog):
    """31 training images in batches of 8: the last batch of an epoch is a small one."""
    caplog.set_level("INFO")
    package, trial = make_package(tmp_path), make_settings(precision="float32", deterministic=True)
    by_graphs = train(*package, [], trial, TrainingState(tmp_path / "graphs", "recipe"))
    assert "one by one" not in caplog.text
    monkeypatch.setattr(cuda_graphs, "_can_be_captured", lambda _: False)
    by_kernels = train(*package, [], trial, TrainingState(tmp_path / "kernels", "recipe"))
    for ours, theirs in zip(by_graphs.history, by_kernels.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


def test_the_loss_and_its_gradient_reach_every_weight():
    device = prepare_device(1, 0)
    loss = start(RESNET, device)
    value = loss(*random_batch(0, device))
    value.backward()
    assert value.item() > 0
    assert all(weight.grad.isfinite().all() and weight.grad.any() for weight in loss.parameters())


class WaitsForTheDevice(torch.nn.Module):
    """As a model that decides by what it has computed."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.model(images).logits
        return logits if logits.sum().item() > 0 else 2 * logits


@on_gpu
def test_what_cannot_be_captured_is_computed_all_the_same(caplog):
    device = prepare_device(1, 0)
    loss = start(RESNET, device)
    loss._logits._model = WaitsForTheDevice(loss._logits._model)
    before = loss(*random_batch(0, device)).item()
    with caplog.at_level("INFO"):
        whole = Computation(loss, (BATCH, CROP, CROP, 3), (BATCH,))
    assert "one by one" in caplog.text
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    assert whole(*random_batch(0, device)).item() == pytest.approx(before, rel=1e-2)
    whole(*random_batch(0, device)).backward()


@on_gpu
def test_hooks_see_the_images_and_nothing_else():
    device, seen = prepare_device(1, 0), []
    logits = start(RESNET, device)._logits
    logits._model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    with torch.no_grad():
        compute = Computation(logits, (BATCH, CROP, CROP, 3))
        for number in range(3):
            compute(random_batch(number, device)[0])
    assert seen == [BATCH] * 3
