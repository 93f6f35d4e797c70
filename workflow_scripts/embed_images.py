"""Embed all images of an experiment with its selected classifier, and show which ones are near to each other."""

from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.scratch import staged
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.inference.embeddings import embed, show_nearest, write_embeddings
from bioscan1m.inference.selected_classifier import load_selected
from bioscan1m.jobs.context import job
from bioscan1m.package.images import ImagePackage

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        split = read_parquet(inputs.split, columns=["image_file", "label", "role"]).to_pandas()
        with staged([inputs.package], params.scratch) as (package,):
            classifier = load_selected(inputs.selection, inputs.models)
            _, embeddings, skipped = embed(classifier.trained, package, split["image_file"])
        write_embeddings(outputs.embeddings, embeddings, split)
        save_figure(show_nearest(embeddings, split, ImagePackage(inputs.package)), outputs.figure)
        record.images = {"in": len(split), "out": len(embeddings.image_files), "skipped": len(skipped)}
