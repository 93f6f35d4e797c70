"""Embed all images of an experiment with its selected classifier, and show which ones are near to each other."""

from bioscan1m.figures import save_figure
from bioscan1m.inference.embeddings import embed, show_nearest, write_embeddings
from bioscan1m.inference.selected_classifier import load_selected
from bioscan1m.job import job
from bioscan1m.package.packages import ImagePackage
from bioscan1m.scratch import staged
from bioscan1m.tables import read_parquet

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs = snakemake.input, snakemake.output
        split = read_parquet(inputs.split, columns=["image_file", "label", "role"]).to_pandas()
        with staged([inputs.package], snakemake.params.scratch) as (package,):
            embeddings, skipped = embed(load_selected(inputs.selection, inputs.models), package, split["image_file"])
        write_embeddings(outputs.embeddings, embeddings, split)
        save_figure(show_nearest(embeddings, split, ImagePackage(inputs.package)), outputs.figure)
        record.images = {"in": len(split), "out": len(embeddings.image_files), "skipped": len(skipped)}
