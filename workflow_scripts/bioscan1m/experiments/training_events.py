"""A training for TensorBoard: `tensorboard --logdir results/experiments` draws the curves of all trials together."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bioscan1m.foundation.atomic import write_aside
from bioscan1m.foundation.errors import InputError


def check_tensorboard() -> None:
    """Raise InputError where TensorBoard is not installed: before a training, not after it."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise InputError(
            "classifier.tensorboard: the package tensorboard is not installed; install it (pip install "
            "tensorboard), or set it to false: history.tsv has the same figures"
        ) from None


def write_events(path: str | Path, *tables: Sequence[dict[str, float]]) -> None:
    """Write the columns of tables that have one row per epoch as scalars, in one event file.

    Like speed.tsv, it holds times, also those at which it was written, so that no two runs have the same bytes.
    """
    from torch.utils.tensorboard import SummaryWriter

    with tempfile.TemporaryDirectory() as folder:
        with SummaryWriter(folder) as writer:
            for row in (row for table in tables for row in table):
                for name, value in row.items():
                    if name != "epoch":
                        writer.add_scalar(name, value, row["epoch"])
        (events,) = Path(folder).iterdir()
        with write_aside(path) as part:
            shutil.copyfile(events, part)
