"""Write the page with the predictions for photographs, their pictures and boxes."""

from bioscan1m.inference.prediction_page import write_prediction_page
from bioscan1m.jobs.context import job
from bioscan1m.package.images import ImagePackage

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs = snakemake.input, snakemake.output
        shown = write_prediction_page(
            path=outputs.page,
            predictions=inputs.predictions,
            photographs=inputs.photographs,
            crops=ImagePackage(inputs.crops[0]) if inputs.crops else {},
            title=snakemake.wildcards.chunk,
            threads=snakemake.threads,
        )
        record.images = {"in": shown, "out": shown}
