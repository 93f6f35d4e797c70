"""Train one classifier of one experiment: a backbone, a loss and a seed; the best weights by validation accuracy."""

import json
from pathlib import Path

from bioscan1m.atomic import write_json
from bioscan1m.evaluation import count_images
from bioscan1m.job import job
from bioscan1m.training import Trainer, describe_validation, write_history, write_model

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, trial = snakemake.input, snakemake.output, snakemake.params.trial
        record.seed = trial["seed"]
        trained = Trainer(inputs.package, inputs.split, inputs.get("weights", []), trial).run()
        data = json.loads(Path(inputs.digest).read_text(encoding="utf-8"))["sha256"]
        write_model(outputs.model, trained, {"code": snakemake.params.code, "data": data})
        write_history(outputs.history, trained.history)
        validation = describe_validation(trained)
        write_json(outputs.validation, validation)
        record.images = count_images(validation)
