"""Pack the resized images of all chunks into one HDF5 file, in the published layout."""

from bioscan1m.job import job
from bioscan1m.package.packing import pack_hdf5
from bioscan1m.scratch import staged

if __name__ == "__main__":
    with job(snakemake) as record, staged(snakemake.input.shards, snakemake.params.scratch) as shards:
        record.images = pack_hdf5(shards, snakemake.output.package, snakemake.params.attributes)
