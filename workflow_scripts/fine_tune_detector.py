"""Fine-tune a detector on annotated images; see bioscan1m/detector/training.py for the method."""

import json

from bioscan1m.detector.architecture import read_config, size_multiple
from bioscan1m.detector.examples import read_examples
from bioscan1m.detector.model import load_base, save_detector
from bioscan1m.detector.preprocessing import Preprocessor
from bioscan1m.detector.settings import FineTuning
from bioscan1m.detector.training import fine_tune
from bioscan1m.foundation.digests import file_digest
from bioscan1m.foundation.tsv import write_numbers
from bioscan1m.jobs.context import job
from bioscan1m.jobs.environment import software
from bioscan1m.networks.channels import read_channels
from bioscan1m.networks.device import prepare_device
from bioscan1m.networks.training_state import TrainingState

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        settings, threads = FineTuning(**params.fine_tuning), snakemake.threads
        record.seed = settings.seed
        device = prepare_device(settings.threads, settings.seed, deterministic=True)
        multiple = size_multiple(read_config(inputs.config))
        preprocessor = Preprocessor(**params.image_size, **read_channels(inputs.channels)._asdict(), multiple=multiple)
        model = load_base(inputs.base, inputs.config)
        examples = read_examples(inputs.images, inputs.annotations, preprocessor, threads)
        monitor = read_examples(inputs.monitor_images, inputs.monitor_annotations, preprocessor, threads)
        digests = [file_digest(path) for path in inputs]
        recipe = json.dumps([params.fine_tuning, params.image_size, params.code, digests, device.type, software()])
        state = TrainingState(params.state, recipe)
        state.begin_attempt(snakemake.resources.attempt)
        history = fine_tune(
            model,
            examples,
            preprocessor=preprocessor,
            settings=settings,
            device=device,
            kept=state,
            monitor=monitor,
        )
        files = {name: outputs[name] for name in ("model", "config", "preprocessor")}
        save_detector(model, preprocessor, **files)
        write_numbers(outputs.history, list(history[0]), history, digits=6)
        record.images = {"in": len(examples), "out": len(examples)}
    state.remove()  # after the record, which means done
