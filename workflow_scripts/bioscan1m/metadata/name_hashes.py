"""Numbers for names: the same on every machine, and as good as random."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bioscan1m.foundation.image_keys import LONGEST_KEY

BYTES_PER_WORD = 8


def hash_names(names: pa.ChunkedArray | pd.Series) -> np.ndarray:
    """64 bits of each name, uint64 (N,): its bytes, eight at a time, are mixed into them.

    Takes memory for as many bytes per name as the longest one has.
    """
    (column,) = pa.table({"names": names}).columns
    return np.concatenate([np.zeros(0, np.uint64), *(_hash_chunk(chunk) for chunk in column.chunks if len(chunk))])


def all_differ(names: pa.ChunkedArray) -> bool:
    """Whether they are known to be all different, as names are whose hashes differ; numbers sort faster than names.

    To hash names that are far longer than a key can be would take too much memory.
    """
    if (pc.max(pc.binary_length(names)).as_py() or 0) > LONGEST_KEY:
        return False
    hashes = np.sort(hash_names(names))
    return not (hashes[1:] == hashes[:-1]).any()


def mix(words: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every bit depends on all bits, and none is lost."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        words = (words ^ (words >> np.uint64(shift))) * np.uint64(factor)
    return words ^ (words >> np.uint64(31))


def _hash_chunk(names: pa.Array) -> np.ndarray:
    width = -(-(pc.max(pc.binary_length(names)).as_py() or 1) // BYTES_PER_WORD)
    padded = pc.ascii_rpad(names, width * BYTES_PER_WORD, padding="\0")
    *_, padded_bytes = padded.buffers()
    hashes = np.zeros(len(names), np.uint64)
    for words in np.frombuffer(padded_bytes, "<u8", len(names) * width).reshape(-1, width).T:
        hashes = np.where(words == 0, hashes, mix(hashes ^ words))  # 0: the name has ended, others are longer
    return hashes
