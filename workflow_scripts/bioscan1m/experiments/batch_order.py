"""The images of each batch and where each is cropped, drawn for an epoch at a time.

Neither the number of processes nor their order changes what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bioscan1m.experiments.process_group import ALONE, Group
from bioscan1m.experiments.training_data import Where

# An image by its place in the LabelledImages, and where to crop it.
Key = tuple[int, Where]


@dataclass
class EpochBatches:
    """Batches of keys: shuffled and cropped at random by (seed, epoch), or in order and centrally without a seed.

    A batch comes in `passes` parts, one after the other, and of several processes each has its own parts of it. Parts
    are as equal as can be; those of a small last batch may be empty. The first `done` batches are left out.
    """

    images: int
    batch_size: int
    seed: int | None
    passes: int = 1
    group: Group = ALONE
    epoch: int = 0
    done: int = 0

    def __iter__(self) -> Iterator[list[Key]]:
        order, draws = np.arange(self.images), None
        if self.seed is not None:
            random = np.random.default_rng((self.seed, self.epoch))
            random.shuffle(order)
            draws = random.random((self.images, 3), dtype=np.float32)
        first = self.group.rank * self.passes
        for start in range(self.done * self.batch_size, self.images, self.batch_size):
            batch = order[start : start + self.batch_size]
            for part in np.array_split(batch, self.group.size * self.passes)[first : first + self.passes]:
                where = [None] * len(part) if draws is None else draws[part].tolist()
                yield list(zip(part.tolist(), where, strict=True))
