"""A ViT with the names and the arithmetic of timm's, of the size of the toy experiment's VIT."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

SIZE, PATCH, WIDTH, HEADS = 32, 8, 16, 2
EPS = 1e-6


class Attention(nn.Module):
    """Query, key and value by one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, tokens, WIDTH) to the same."""
        query, key, value = (
            part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in self.qkv(tokens).chunk(3, dim=2)
        )
        return self.proj(functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and two layers, each after its norm and beside a way past it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, EPS), nn.LayerNorm(WIDTH, EPS)
        self.attn, self.mlp = (
            Attention(),
            nn.ModuleDict({"fc1": nn.Linear(WIDTH, WIDTH), "fc2": nn.Linear(WIDTH, WIDTH)}),
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, tokens, WIDTH) to the same."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp["fc2"](functional.gelu(self.mlp["fc1"](self.norm2(tokens))))


class TimmViT(nn.Module):
    """From images (N, 3, SIZE, SIZE) to logits (N, classes)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, (SIZE // PATCH) ** 2 + 1, WIDTH))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, WIDTH, PATCH, PATCH)})
        self.blocks = nn.Sequential(Block())
        self.norm, self.head = nn.LayerNorm(WIDTH, EPS), nn.Linear(WIDTH, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The logits."""
        patches = self.patch_embed["proj"](images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), patches], dim=1) + self.pos_embed
        return self.head(self.norm(self.blocks(tokens))[:, 0])
