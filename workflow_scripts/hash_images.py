"""Hash the images of one chunk, by their bytes and by what they show.

The perceptual hash is that of the library ImageHash, `phash` with a hash_size of 16: which of the 16x16 lowest
frequencies of the grey image are above their median. With scipy, which the project needs anyhow, it takes a few lines;
the library would add PyWavelets, for kinds of hashes that are not used, and cannot search among a million hashes.
"""

from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from scipy.fft import dctn

from bioscan1m.foundation.archives import Member, ZipReader
from bioscan1m.foundation.errors import UnreadableImage, unless_unreadable
from bioscan1m.foundation.images import decode
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.foundation.tables import write_parquet
from bioscan1m.jobs.context import job
from bioscan1m.metadata.duplicates import HASHES

SIDE, FREQUENCIES = 64, 16  # pixels of the grey image, and its lowest frequencies in each direction
DECODED_SIDE = 2 * SIDE  # decoded at SIDE itself, copies of another size differ in twice as many bits
# Standard deviation of grey values from 0 to 255. Wells with an insect have 4 and more; below 2 the bits are noise.
LEAST_CONTRAST = 2.0


def perceptual_hash(image: Image.Image) -> bytes | None:
    """256 bits, most of which are the same for a copy in another size or quality; None for a blank image."""
    grey = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.float64)
    if grey.std() < LEAST_CONTRAST:
        return None
    lowest = dctn(grey)[:FREQUENCIES, :FREQUENCIES]
    return np.packbits(lowest > np.median(lowest)).tobytes()


def hash_images(chunk: str | Path, hashes: str | Path, threads: int) -> dict[str, int]:
    """Write image_file, sha256 and perceptual_hash of the images of a zip, in its order.

    An image that cannot be read has no perceptual hash, and without bytes neither; the quarantine of the stages that
    use it has the reason.

    Args:
        chunk: zip of images.
        hashes: Parquet table to write.
        threads: threads that decode.

    Returns:
        The numbers of images in, and out with a perceptual hash.
    """
    with ZipReader(chunk) as images:
        members = images.members
        progress, rows = Progress(Path(chunk).name, len(members)), []
        for row in map_in_order(partial(_hashes, images), members, threads):
            rows.append(row)
            progress.advance()
    columns = zip(*rows, strict=True) if rows else ([] for _ in HASHES)
    write_parquet(hashes, pa.table(dict(zip(HASHES.names, map(list, columns), strict=True)), HASHES))
    return {"in": len(rows), "out": sum(shown is not None for *_, shown in rows)}


def _hashes(images: ZipReader, member: Member) -> tuple[str, bytes | None, bytes | None]:
    data = images.read(member)
    if isinstance(data, UnreadableImage):
        return member.image_file, None, None
    shown = unless_unreadable(lambda data: perceptual_hash(decode(data, DECODED_SIDE)), data)
    return member.image_file, sha256(data).digest(), None if isinstance(shown, UnreadableImage) else shown


if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = hash_images(snakemake.input.chunk, snakemake.output.hashes, snakemake.threads)
