"""The small detector from which the demo starts: trained here, on synthetic wells of its own, from random weights.

The demo goes the way of the paper, from general weights to fine-tuned ones, but a machine without GPU or network has
neither time to train a DETR from nothing nor COCO weights to begin with. So this one is trained beforehand by the same
code, on wells of other seeds and of another mix: no Diptera, which are most of the demo's insects, all other forms
equally often, and more empty wells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from torch import nn
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

from bioscan1m.detector.architecture import CLASS_NAMES
from bioscan1m.detector.examples import Example
from bioscan1m.detector.preprocessing import Preprocessor
from synthetic.dataset import PlannedWell, photograph_all, plan_chunk
from synthetic.taxonomy import forms, taxa

Option = TypeVar("Option")

WELL_SIZE = (640, 480)
EMPTY_SHARE = 0.03
# Numbers of chunks that the demo does not have: they mark the random streams of these wells.
TRAINING_CHUNK, EVALUATION_CHUNK = 801, 802


def small_detr() -> DetrForObjectDetection:
    """A DETR with 0.75 million random parameters: three residual stages to stride 16, two layers each way."""
    backbone = ResNetConfig(
        embedding_size=16, hidden_sizes=[24, 64, 128], depths=[1, 1, 1], layer_type="basic", out_features=["stage3"]
    )
    config = DetrConfig(
        use_timm_backbone=False,
        backbone_config=backbone,
        num_queries=4,
        d_model=96,
        encoder_layers=2,
        encoder_ffn_dim=256,
        encoder_attention_heads=4,
        decoder_layers=2,
        decoder_ffn_dim=256,
        decoder_attention_heads=4,
        dropout=0.0,
        auxiliary_loss=True,  # every layer of the decoder learns to place boxes, which ends the plateau sooner
        id2label=CLASS_NAMES,
        label2id={name: index for index, name in CLASS_NAMES.items()},
    )
    model = DetrForObjectDetection(config)
    _draw_weights(model)
    return model


def _draw_weights(model: DetrForObjectDetection) -> None:
    """Draw the transformer's weights as the original DETR does; those that transformers draws are too small to start.

    With its standard deviation of 0.02 the loss stays on a plateau for 600 steps, with this for less than 100.
    """
    for part in (model.model.encoder, model.model.decoder, model.bbox_predictor):
        for parameter in part.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
    nn.init.normal_(model.model.query_position_embeddings.weight)


def training_wells(seed: int, count: int) -> list[PlannedWell]:
    """Wells without Diptera, in which every other form is equally likely."""
    rng = np.random.default_rng((seed, TRAINING_CHUNK))
    others = [taxon for taxon in taxa() if taxon.order != "Diptera"]
    members = {form: [taxon for taxon in others if taxon.form == form] for form in forms()}
    drawn_forms = [form for form in forms() if members[form]]
    return [
        PlannedWell(
            TRAINING_CHUNK,
            number,
            taxon=_choose(rng, members[_choose(rng, drawn_forms)]),
            empty=bool(rng.random() < EMPTY_SHARE),
            file="intact",
        )
        for number in range(1, count + 1)
    ]


def evaluation_wells(seed: int, count: int) -> list[PlannedWell]:
    """Wells in the demo's mix, which the training does not see."""
    return plan_chunk(seed, EVALUATION_CHUNK, count)


def draw_examples(wells: list[PlannedWell], seed: int, preprocessor: Preprocessor, what: str) -> list[Example]:
    """The wells as inputs of a detector, with their boxes, through JPEG as in the demo."""
    return [
        Example(well.image_file, preprocessor.prepare(drawn.data), np.reshape(drawn.box or [], (-1, 4)))
        for well, drawn in photograph_all(wells, seed, WELL_SIZE, what)
    ]


def _choose(rng: np.random.Generator, options: Sequence[Option]) -> Option:
    return options[int(rng.integers(len(options)))]
