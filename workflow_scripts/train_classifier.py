"""Train one classifier of one experiment: a backbone, a loss and a seed; the best weights by validation accuracy."""

import json
from pathlib import Path

import torch

from bioscan1m.atomic import write_json
from bioscan1m.experiments.evaluation import count_images, warn_of_absences
from bioscan1m.experiments.trained import describe_validation, write_history, write_model, write_speed
from bioscan1m.experiments.training import train
from bioscan1m.experiments.training_events import check_tensorboard, write_events
from bioscan1m.job import job
from bioscan1m.provenance.provenance import file_digest, software
from bioscan1m.scratch import staged
from bioscan1m.training_state import TrainingState

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        if events := outputs.get("events"):
            check_tensorboard()
        record.seed = params.trial["seed"]
        trial = params.trial | {"training": params.trial["training"] | {"workers": params.workers}}
        data = json.loads(Path(inputs.digest).read_text(encoding="utf-8"))["sha256"]
        weights = inputs.get("weights", [])
        digests = [data, *map(file_digest, inputs.get("weights_digest", []))]
        recipe = json.dumps([params.trial, params.code, digests, torch.cuda.is_available(), software()])
        state = TrainingState(params.state, recipe)
        with staged([inputs.package], params.scratch) as (package,):
            trained = train(package, inputs.split, weights, trial, state)
        write_model(outputs.model, trained, {"code": params.code, "data": data})
        write_history(outputs.history, trained.history)
        write_speed(outputs.speed, trained.speed)
        if events:
            write_events(*events, trained.history, trained.speed)
        validation = describe_validation(trained)
        write_json(outputs.validation, validation)
        record.images = count_images(validation)
        warn_of_absences(validation)
    state.remove()  # after the record, which means done
