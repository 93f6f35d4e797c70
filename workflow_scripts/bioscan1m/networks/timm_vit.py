"""timm's plain vision transformers as those of transformers: the names of their weights and the settings they imply.

timm publishes `config.json` with an `architecture` such as `vit_base_patch16_224`, and weights under its own names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from bioscan1m.foundation.errors import InputError

TIMM_HEAD = "head.weight"
TIMM_LAYER_NORM = {"layer_norm_eps": 1e-6}  # of timm's ViT; that of transformers is 1e-12
ARCHITECTURE = re.compile(r"vit_(tiny|small|base|large)_patch(\d+)_(\d+)")
# Width, blocks and heads by size: weights have the first two in their shapes, but no trace of the heads.
SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
# timm's names of a ViT's parts, and those of transformers.
TIMM_NAMES = {
    r"cls_token": "vit.embeddings.cls_token",
    r"pos_embed": "vit.embeddings.position_embeddings",
    r"patch_embed\.proj\.(.+)": r"vit.embeddings.patch_embeddings.projection.\1",
    r"blocks\.(\d+)\.norm1\.(.+)": r"vit.layers.\1.layernorm_before.\2",
    r"blocks\.(\d+)\.attn\.proj\.(.+)": r"vit.layers.\1.attention.o_proj.\2",
    r"blocks\.(\d+)\.norm2\.(.+)": r"vit.layers.\1.layernorm_after.\2",
    r"blocks\.(\d+)\.mlp\.(.+)": r"vit.layers.\1.mlp.\2",
    r"norm\.(.+)": r"vit.layernorm.\1",
    r"head\.(.+)": r"classifier.\1",
}


def timm_settings(config: Mapping[str, Any], source: object) -> dict[str, Any] | None:
    """The settings of transformers' ViT that a config.json of timm describes; None for a config of transformers.

    Raises InputError with the source for any architecture but the plain ViT, whose others compute something else.
    """
    if "architecture" not in config:
        return None
    architecture = str(config["architecture"]).rpartition("/")[2].partition(".")[0]
    found = ARCHITECTURE.fullmatch(architecture)
    if found is None or config.get("global_pool", "token") != "token":
        raise InputError(
            f"{source}: '{config['architecture']}' is no plain ViT of timm; taken are {ARCHITECTURE.pattern} that pool "
            "the class token. Name weights of transformers or torchvision in classifier.backbones"
        )
    size, patch, pixels = found.groups()
    width, blocks, heads = SIZES[size]
    return {
        "hidden_size": width,
        "num_hidden_layers": blocks,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
        "patch_size": int(patch),
        "image_size": int(pixels),
        **TIMM_LAYER_NORM,
    }


def from_timm(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights of timm's ViT by their names in transformers; others keep theirs."""
    return {new: part for name, tensor in weights.items() for new, part in _renamed(name, tensor)}


def _renamed(name: str, tensor: torch.Tensor) -> Iterable[tuple[str, torch.Tensor]]:
    """A weight by its name in transformers, in three where timm has query, key and value in one."""
    if joined := re.fullmatch(r"blocks\.(\d+)\.attn\.qkv\.(.+)", name):
        block, kind = joined.groups()
        parts = zip("qkv", tensor.chunk(3), strict=True)
        return [(f"vit.layers.{block}.attention.{part}_proj.{kind}", value) for part, value in parts]
    for pattern, own in TIMM_NAMES.items():
        if found := re.fullmatch(pattern, name):
            return [(found.expand(own), tensor)]
    return [(name, tensor)]
