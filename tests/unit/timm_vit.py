"""A ViT with the names and the arithmetic of timm's, by default of the size of the toy experiment's VIT."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

EPS = 1e-6


class Sizes(NamedTuple):
    """What shapes a ViT."""

    pixels: int = 32
    patch: int = 8
    width: int = 16
    hidden: int = 16  # of the layers after the attention
    blocks: int = 1
    heads: int = 2


TOY = Sizes()


class Attention(nn.Module):
    """Query, key and value by one layer."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.qkv, self.proj = nn.Linear(sizes.width, 3 * sizes.width), nn.Linear(sizes.width, sizes.width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, tokens, width) to the same."""
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.qkv(tokens).chunk(3, dim=2)
        )
        return self.proj(functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and two layers, each after its norm and beside a way past it."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(sizes.width, EPS), nn.LayerNorm(sizes.width, EPS)
        layers = {"fc1": nn.Linear(sizes.width, sizes.hidden), "fc2": nn.Linear(sizes.hidden, sizes.width)}
        self.attn, self.mlp = Attention(sizes), nn.ModuleDict(layers)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, tokens, width) to the same."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp["fc2"](functional.gelu(self.mlp["fc1"](self.norm2(tokens))))


class TimmViT(nn.Module):
    """From images (N, 3, pixels, pixels) to logits (N, classes)."""

    def __init__(self, classes: int, sizes: Sizes = TOY) -> None:
        super().__init__()
        width, patch = sizes.width, sizes.patch
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, (sizes.pixels // patch) ** 2 + 1, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        self.blocks = nn.Sequential(*(Block(sizes) for _ in range(sizes.blocks)))
        self.norm, self.head = nn.LayerNorm(width, EPS), nn.Linear(width, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The logits."""
        patches = self.patch_embed["proj"](images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), patches], dim=1) + self.pos_embed
        return self.head(self.norm(self.blocks(tokens))[:, 0])
