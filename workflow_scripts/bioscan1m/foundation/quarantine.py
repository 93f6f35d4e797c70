"""One bad image never stops a chunk and never vanishes: it goes to a table with the stage and the reason."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tsv import write_rows

logger = logging.getLogger(__name__)

COLUMNS = ("image_file", "stage", "reason")
# In the reconciliation of metadata and images: an image that is in a quarantine table already.
UNREADABLE_IMAGE = "unreadable image"


class Quarantine:
    """The images that one stage could not use."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.rows: list[tuple[str, str, str]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, image_file: str, reason: object) -> None:
        """Add one image; the reason becomes one line."""
        self.rows.append((image_file, self.stage, " ".join(str(reason).split())))

    def write(self, path: str | Path) -> None:
        """Write the table, header first, in the order in which images were added."""
        write_rows(path, COLUMNS, self.rows)

    def check(self, total: int, limit: float, chunk: str) -> None:
        """Raise InputError where more than the fraction `limit` of `total` images is in quarantine.

        All of them go to the log first, for Snakemake removes the tables of a job that fails.
        """
        if len(self) / max(total, 1) <= limit:
            return
        for image_file, stage, reason in self.rows:
            logger.warning("%s: %s: %s", stage, image_file, reason)
        examples = "; ".join(f"{image_file}: {reason}" for image_file, _, reason in self.rows[:5])
        raise InputError(
            f"{chunk}: {len(self)} of {total} images cannot be used at the stage {self.stage}, more than "
            f"unreadable_limit = {limit} allows ({examples}). Mend the chunk or raise unreadable_limit in the config."
        )


def read_quarantine(path: str | Path) -> list[tuple[str, str, str]]:
    """Read a quarantine table."""
    with open(path, newline="", encoding="utf-8") as file:
        return [(image_file, stage, reason) for image_file, stage, reason in csv.reader(file, delimiter="\t")][1:]
