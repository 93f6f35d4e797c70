"""Join the zips of several chunks into one zip package: names and bytes of the members stay as they are."""

from bioscan1m.foundation.scratch import staged
from bioscan1m.jobs.context import job
from bioscan1m.package.shards import pack_zip

if __name__ == "__main__":
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    with job(snakemake) as record, staged(inputs.zips, params.scratch) as zips:
        record.images = pack_zip(zips, outputs.package)
