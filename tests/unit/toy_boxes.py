"""Boxes tables for tests that care about the boxes alone."""

from __future__ import annotations

import pandas as pd

from bioscan1m.boxes.table import FLAGS


def with_quality(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the columns of quality, all of them unsuspicious."""
    return frame.assign(second_score=0.01, box_share=0.1, sharpness=50.0, **dict.fromkeys(FLAGS, False))
