"""Join the zips of several chunks into one zip package: the members keep their names and their bytes."""

from bioscan1m.job import job
from bioscan1m.package.packing import pack_zip
from bioscan1m.scratch import staged

if __name__ == "__main__":
    with job(snakemake) as record, staged(snakemake.input.zips, snakemake.params.scratch) as zips:
        record.images = pack_zip(zips, snakemake.output.package)
