"""The metadata of the synthetic specimens: the 16 source columns, with DNA barcodes that follow the taxonomy.

A barcode is that of a common ancestor after substitutions in its order, its form and its BIN, and a few of its own: so
specimens of one BIN differ by less than one letter in a hundred and BINs by several, as the real ones do.
"""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np

from synthetic.dataset import PlannedWell
from synthetic.taxonomy import RANKS, Taxon

COLUMNS = ("sampleid", "processid", "uri", "name", "phylum", "class", *RANKS, "nucraw", "image_file", "chunk_number")
BARCODE_LENGTH = 658  # letters of the barcode region of the gene COI
LETTERS = np.array(list("ACGT"))
FREQUENCIES = (0.30, 0.16, 0.16, 0.38)  # insects' COI is rich in A and T
SUBSTITUTIONS = {"order": 0.10, "form": 0.06, "uri": 0.05}  # shares of the letters
SUBSTITUTIONS_OF_INDIVIDUAL = 0.003


def metadata_row(well: PlannedWell, seed: int) -> list[str]:
    """The values of COLUMNS for one well."""
    taxon = well.taxon
    names = [getattr(taxon, rank) for rank in RANKS]
    process = f"SYNTH{well.chunk * 100_000 + well.number}-24"
    barcode = _barcode(taxon, np.random.default_rng([seed, well.chunk, well.number, 1]))
    return [
        well.sample, process, taxon.uri, taxon.name, "Arthropoda", "Insecta", *names,
        barcode, well.image_file, str(well.chunk),
    ]  # fmt: skip


def _barcode(taxon: Taxon, rng: np.random.Generator) -> str:
    return "".join(_substitute(_barcode_of_bin(taxon), SUBSTITUTIONS_OF_INDIVIDUAL, rng))


@cache
def _barcode_of_bin(taxon: Taxon) -> np.ndarray:
    letters = np.random.default_rng(BARCODE_LENGTH).choice(LETTERS, BARCODE_LENGTH, p=FREQUENCIES)
    for level, share in SUBSTITUTIONS.items():
        letters = _substitute(letters, share, np.random.default_rng(zlib.crc32(getattr(taxon, level).encode())))
    return letters


def _substitute(letters: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The letters with about this share of them drawn anew."""
    drawn = rng.choice(LETTERS, len(letters), p=FREQUENCIES)
    return np.where(rng.random(len(letters)) < share, drawn, letters)
