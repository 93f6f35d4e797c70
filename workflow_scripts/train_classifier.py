"""Train one classifier of one experiment: a backbone, a loss and a seed; the best weights by validation accuracy.

With features there is only its last layer to train.
"""

import json
from pathlib import Path

import torch

from bioscan1m.experiments.evaluation import images_by_role, warn_of_absences
from bioscan1m.experiments.head_training import train_head
from bioscan1m.experiments.settings import trial_of
from bioscan1m.experiments.trained import DIGITS, HISTORY_COLUMNS, SPEED_COLUMNS, describe_validation, write_model
from bioscan1m.experiments.training import train
from bioscan1m.experiments.training_events import check_tensorboard, write_events
from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.digests import file_digest
from bioscan1m.foundation.scratch import staged
from bioscan1m.foundation.tsv import write_numbers
from bioscan1m.jobs.context import job
from bioscan1m.jobs.environment import software
from bioscan1m.networks.training_state import TrainingState

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        if events := outputs.get("events"):
            check_tensorboard()
        training = params.trial["training"] | {"workers": params.workers}
        trial = trial_of(params.trial | {"training": training}, inputs.get("channels", []))
        record.seed = trial.seed
        data = json.loads(Path(inputs.digest).read_text(encoding="utf-8"))["sha256"]
        weights = inputs.get("weights", [])
        digests = [data, *map(file_digest, inputs.get("weights_digest", []))]
        recipe = json.dumps([params.trial, trial.channels, params.code, digests, torch.cuda.is_available(), software()])
        state = TrainingState(params.state, recipe)
        state.begin_attempt(snakemake.resources.attempt)
        if features := inputs.get("features"):
            trained = train_head(features[0], inputs.split, weights, trial)
        else:
            with staged([inputs.package], params.scratch) as (package,):
                trained = train(package=package, split=inputs.split, weights=weights, trial=trial, state=state)
        write_model(outputs.model, trained, {"code": params.code, "data": data})
        write_numbers(outputs.history, HISTORY_COLUMNS, trained.history, DIGITS)
        write_numbers(outputs.speed, SPEED_COLUMNS, trained.speed, DIGITS)
        if events:
            write_events(*events, trained.history, trained.speed)
        validation = describe_validation(trained)
        write_json(outputs.validation, validation)
        record.images = images_by_role(validation)
        warn_of_absences(validation)
    state.remove()  # after the record, which means done
