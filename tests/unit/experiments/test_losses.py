"""The focal loss is the published formula, and cross-entropy where gamma is 0."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from bioscan1m.experiments.losses import focal_loss


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(32, 7, generator=generator) * 3, torch.randint(7, (32,), generator=generator)


def test_gamma_0_is_cross_entropy_bit_for_bit(batch):
    assert torch.equal(focal_loss(*batch, gamma=0), functional.cross_entropy(*batch))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_it_is_the_formula(batch, gamma):
    logits, labels = batch
    p = logits.softmax(dim=1)[torch.arange(len(labels)), labels]
    expected = ((1 - p) ** gamma * -p.log()).mean()
    torch.testing.assert_close(focal_loss(logits, labels, gamma), expected)


def test_easy_images_count_less():
    easy, hard = torch.tensor([[4.0, 0.0]]), torch.tensor([[0.0, 4.0]])
    label = torch.tensor([0])
    ratio = focal_loss(easy, label, 2) / focal_loss(hard, label, 2)
    assert ratio < focal_loss(easy, label, 0) / focal_loss(hard, label, 0)


@pytest.mark.parametrize("gamma", [0, 0.5, 2])
def test_sure_and_right_or_sure_and_wrong_the_gradient_is_finite(gamma):
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    focal_loss(logits, torch.tensor([0, 0]), gamma).backward()
    assert torch.isfinite(logits.grad).all()


def test_half_precision_is_computed_in_full(batch):
    logits, labels = batch
    assert focal_loss(logits.bfloat16(), labels, 2).dtype == torch.float32
