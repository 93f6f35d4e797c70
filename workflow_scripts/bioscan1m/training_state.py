"""The state of an unfinished training, kept after each epoch, so that a job that is killed goes on where it was.

On the CPU the result is that of a training that was not killed, to the bit; on a GPU as far as its algorithms allow.

The file lies beside the model that is being trained and is no output of the rule: Snakemake removes outputs before an
attempt. It holds the recipe of its training; with another recipe it is passed over. It is removed in the end.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bioscan1m.atomic import write_aside

logger = logging.getLogger(__name__)


class TrainingState:
    """Where one training keeps its state; `recipe` is a text that is equal where a training would go the same way."""

    def __init__(self, path: str | Path, recipe: str) -> None:
        self._path, self._recipe = Path(path), recipe

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep tensors and plain values (state dicts, numbers, lists); what was kept before is replaced at once."""
        # To a file that Python opened: by its path torch would not say why the disk refuses.
        with write_aside(self._path) as part, part.open("wb") as file:
            torch.save({"recipe": self._recipe, "state": dict(state)}, file)

    def load(self) -> dict[str, Any] | None:
        """What was kept last, with tensors on the CPU; None where there is nothing of this recipe that can be read."""
        if not self._path.exists():
            return None
        try:
            kept = torch.load(self._path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises nearly anything on damaged data
            logger.warning("%s: cannot be read (%s); training begins anew", self._path, error)
            return None
        if not isinstance(kept, dict) or kept.get("recipe") != self._recipe:
            logger.info("%s: of a training with other data, settings or code; training begins anew", self._path)
            return None
        return kept["state"]

    def remove(self) -> None:
        """Forget it: the training is done and its results are written."""
        self._path.unlink(missing_ok=True)
