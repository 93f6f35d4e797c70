"""Join the zips of several chunks into one zip package: the members keep their names and their bytes."""

from bioscan1m.job import job
from bioscan1m.package.packing import pack_zip

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = pack_zip(snakemake.input.zips, snakemake.output.package)
