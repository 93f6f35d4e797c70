"""Photographs of full size. Nothing here imports torch, whose memory would count as that of stages without it."""

from __future__ import annotations

import os
from pathlib import Path

from synthetic.dataset import photograph_all, plan_chunk

SIZE = (2880, 2160)
SEED, CHUNK, WELLS, DRAWN = 1, 901, 100, 10  # a chunk without damaged files, and how many of its wells are drawn


def photographs() -> list[bytes]:
    """The real ones of BIOSCAN_REAL_DATA where they are, else synthetic ones."""
    if real := os.environ.get("BIOSCAN_REAL_DATA"):
        return [path.read_bytes() for path in sorted((Path(real) / "originals").glob("*.jpg"))]
    wells = plan_chunk(SEED, CHUNK, WELLS)[:DRAWN]
    return [image.data for _, image in photograph_all(wells, SEED, SIZE, "drawing photographs")]
