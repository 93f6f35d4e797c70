"""Find the images of all chunks that are copies of others: of equal bytes, or of nearly equal perceptual hashes."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bioscan1m.foundation.tables import read_parquet, write_table
from bioscan1m.jobs.context import job
from bioscan1m.metadata.duplicates import COLUMNS, EQUAL_BYTES, HASHES, NEAR_DUPLICATE

logger = logging.getLogger(__name__)

# Copies in another size or quality differ in 14 bits at most, different wells in 36 and more (docs/photographs.md).
MOST_BITS = 15
WORDS, BITS_PER_WORD = 8, 32  # of a hash: 15 bits that differ cannot be two in each of eight words


def find_duplicates(hashes: list[str | Path], duplicates: str | Path) -> dict[str, int]:
    """Write the table of images that have copies, sorted by name.

    Args:
        hashes: The tables of hashes of all chunks.
        duplicates: The TSV with image_file and the first image of its group by equal bytes and by look.

    Returns:
        The counts of images, and of those that have copies.
    """
    table = pa.concat_tables([read_parquet(path, schema=HASHES) for path in hashes])
    names = table["image_file"].to_pandas()
    by_bytes = _codes(table["sha256"])
    by_look = _groups_by_look(table["perceptual_hash"], by_bytes)
    groups = {EQUAL_BYTES: _first_of_group(by_bytes, names), NEAR_DUPLICATE: _first_of_group(by_look, names)}
    found = pd.DataFrame({"image_file": names, **groups})
    found = found[found[NEAR_DUPLICATE] != ""].sort_values("image_file", ignore_index=True)
    _log(found)
    write_table(duplicates, found[COLUMNS])
    return {"in": len(names), "out": len(found)}


def similar_groups(hashes: np.ndarray, most_bits: int = MOST_BITS) -> np.ndarray:
    """The groups of hashes that differ in few bits, directly or over others: int64 (N,).

    By the pigeonhole principle, two such hashes have a word in which they differ in one bit at most. So for each word
    and each of its bits the hashes are sorted by the other bits of the word, and those that are equal there are
    compared. The bits of a word come from everywhere in the hash, since neighbouring ones are often equal.

    Args:
        hashes: (N, 32) uint8.
        most_bits: in which hashes of one group may differ, 2 * WORDS - 1 at most.

    Returns:
        A number for each hash; equal numbers are one group.
    """
    scattered = hashes.reshape(len(hashes), BITS_PER_WORD // 8, WORDS).swapaxes(1, 2)
    words = np.ascontiguousarray(scattered).reshape(hashes.shape).view(np.uint32)
    groups = np.arange(len(words))
    if len(groups) < 2:
        return groups
    for word in range(WORDS):
        for bit in range(BITS_PER_WORD):
            keys = words[:, word] & ~np.uint32(1 << bit)
            complete = False
            while not complete:
                pairs, complete = _pairs(words, keys, groups, most_bits)
                groups = _joined(groups, pairs)
    return groups


def _pairs(words: np.ndarray, keys: np.ndarray, groups: np.ndarray, most_bits: int) -> tuple[np.ndarray, bool]:
    """Pairs of hashes (2, P) with equal keys that differ in few bits and are in different groups so far.

    The second value is whether these are all: once there are as many as hashes, the groups are to be joined first. So
    thousands of images that look alike take neither the memory nor the time of all their pairs.
    """
    members = _with_equal_keys(keys)
    members = members[np.lexsort((groups[members], keys[members]))]
    keys, of_group = keys[members], groups[members]
    firsts = np.arange(len(members))
    begins = np.flatnonzero(np.diff(keys, prepend=keys[:1] + 1) | np.diff(of_group, prepend=of_group[:1] + 1))
    ends = np.append(begins, len(members))[1:]
    seconds = np.repeat(ends, ends - begins)  # the first that is of another group
    found = [np.empty((2, 0), np.int64)]
    while sum(pairs.shape[1] for pairs in found) < len(groups):
        inside = seconds < len(members)
        firsts, seconds = firsts[inside], seconds[inside]
        equal = keys[firsts] == keys[seconds]
        firsts, seconds = firsts[equal], seconds[equal]
        if not len(firsts):
            return np.concatenate(found, axis=1), True
        pairs = members[np.stack([firsts, seconds])]
        different = np.bitwise_count(words[pairs[0]] ^ words[pairs[1]]).sum(axis=1)
        found.append(pairs[:, different <= most_bits])
        seconds = seconds + 1
    return np.concatenate(found, axis=1), False


def _with_equal_keys(keys: np.ndarray) -> np.ndarray:
    """The places of all keys that are there more than once, int64."""
    order = np.argsort(keys)
    equal = keys[order[1:]] == keys[order[:-1]]
    return order[np.append(equal, False) | np.append(False, equal)]


def _joined(groups: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The groups after those of each pair have become one."""
    if not pairs.size:
        return groups
    links = coo_array((np.ones(pairs.shape[1], np.int8), tuple(groups[pairs])), shape=(len(groups),) * 2)
    return connected_components(links, directed=False)[1][groups].astype(np.int64)


def _groups_by_look(hashes: pa.ChunkedArray, by_bytes: np.ndarray) -> np.ndarray:
    """The groups of all images, int64 (N,): images of equal bytes without a hash are one group as well."""
    codes = _codes(hashes)
    shown = np.flatnonzero(codes >= 0)
    first = shown[np.unique(codes[shown], return_index=True)[1]]
    distinct = np.frombuffer(b"".join(hashes.take(first).to_pylist()), np.uint8).reshape(-1, WORDS * 4)
    groups = np.where(by_bytes < 0, -1, by_bytes + len(distinct))
    groups[shown] = similar_groups(distinct)[codes[shown]]
    return groups


def _codes(values: pa.ChunkedArray) -> np.ndarray:
    """A number for each value, equal for equal ones, from 0 on without gaps: int64 (N,), -1 for null."""
    encoded = values.combine_chunks().dictionary_encode()
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def _first_of_group(groups: np.ndarray, names: pd.Series) -> pd.Series:
    """Of each image the first name of its group; empty where it is alone in it, or in none (-1)."""
    of_group = names.groupby(groups)
    return of_group.transform("min").where((of_group.transform("size") > 1) & (groups >= 0), "")


def _log(found: pd.DataFrame) -> None:
    """So many groups by each of the two, and the largest: one that is too large is one of blank images, or the like."""
    for column in (EQUAL_BYTES, NEAR_DUPLICATE):
        sizes = found.loc[found[column] != "", column].value_counts()
        if len(sizes):
            largest = f"the largest has {sizes.iloc[0]}, such as {sizes.index[0]}"
            logger.info("%s: %d images in %d groups; %s", column, sizes.sum(), len(sizes), largest)


if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = find_duplicates(snakemake.input.hashes, snakemake.output.duplicates)
