"""Fetch the zip of one chunk, or pack a local folder of images into it, and see that it is a whole zip.

A package in HDF5, as the published ones, becomes a zip of its images with unchanged bytes.
"""

from pathlib import Path

from bioscan1m.fetch.content import check_zip
from bioscan1m.fetch.image_folders import part_of_folder
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation.archives import ZipWriter, list_members
from bioscan1m.jobs.context import job

HDF5 = b"\x89HDF\r\n\x1a\n"  # how such a file begins
# Of the members of a zip that is made of HDF5, which has no folders: their chunks are those of the metadata.
MEMBERS = "bioscan/images"


def check_chunk(path: Path) -> None:
    """Raise InputError where a file is neither a whole zip nor a package in HDF5."""
    if not is_hdf5(path):
        check_zip(path)
        return
    from bioscan1m.package.images import ImagePackage

    len(ImagePackage(path))


def is_hdf5(path: Path) -> bool:
    """Whether a file is in HDF5, by its first bytes: an address need not have the suffix."""
    with path.open("rb") as file:
        return file.read(len(HDF5)) == HDF5


def zip_package(package: Path, path: Path) -> None:
    """Write the images of an HDF5 package, in the order of their names, to a zip."""
    from bioscan1m.package.images import ImagePackage

    with ZipWriter(path) as archive:
        for image_file, data in ImagePackage(package).items():
            archive.add(f"{MEMBERS}/{image_file}", data)


if __name__ == "__main__":
    with job(snakemake) as record:
        outputs, params = snakemake.output, snakemake.params
        source, chunk = params.source, Path(outputs.chunk)
        fetch(
            source["source"],
            chunk,
            expected_bytes=source.get("bytes"),
            checksum=source["checksum"],
            check=check_chunk,
            key_folder=source.get("key_folder"),
            part_of_folder=part_of_folder(source),
            **params.fetch,
        )
        if is_hdf5(chunk):
            package = chunk.rename(chunk.with_suffix(".hdf5"))
            zip_package(package, chunk)
            package.unlink()
        record.images = {"out": len(list_members(chunk))}
