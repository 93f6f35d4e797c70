"""Compute the features that a frozen trunk makes of the images of all experiments that train on them."""

from collections.abc import Sequence
from pathlib import Path

from bioscan1m.experiments.features import Trunk, compute_features, write_features
from bioscan1m.experiments.settings import Backbone, BatchSettings, channels_of_normalisation, settings_of
from bioscan1m.foundation.scratch import staged
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.jobs.context import job


def images_of(splits: Sequence[str | Path]) -> list[str]:
    """Every image of the splits once, in the order of the first split that has it."""
    names = (name for split in splits for name in read_parquet(split, columns=["image_file"])["image_file"].to_pylist())
    return list(dict.fromkeys(names))


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        described = params.trunk["backbone_settings"]
        trunk = Trunk(
            settings_of(Backbone, described),
            Path(inputs.weights[0]).parent,
            channels_of_normalisation(described.get("normalisation"), inputs.channels),
        )
        settings = settings_of(BatchSettings, params.training | {"cache_images": False})  # each image is needed once
        image_files = images_of(inputs.splits)
        with staged([inputs.package], params.scratch) as (package,):
            features = compute_features(package, image_files, trunk, settings, snakemake.threads)
        write_features(outputs.features, features)
        record.images = {"in": len(image_files), "out": len(features.image_files), "skipped": len(features.skipped)}
