"""Pack the resized images of all chunks into one HDF5 file, in the published layout."""

from bioscan1m.job import job
from bioscan1m.package.packing import pack_hdf5

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = pack_hdf5(snakemake.input.shards, snakemake.output.package, snakemake.params.attributes)
