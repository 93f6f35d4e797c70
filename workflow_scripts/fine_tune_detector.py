"""Fine-tune a detector on annotated images; see bioscan1m/detector/detector_training.py for the method."""

import json

from bioscan1m.detector.detector import load_base, save_detector
from bioscan1m.detector.detector_architecture import read_config, size_multiple
from bioscan1m.detector.detector_examples import read_examples
from bioscan1m.detector.detector_input import Preprocessor, read_channels
from bioscan1m.detector.detector_training import fine_tune, write_history
from bioscan1m.device import prepare_device
from bioscan1m.job import job
from bioscan1m.provenance.provenance import file_digest, software
from bioscan1m.training_state import TrainingState

if __name__ == "__main__":
    with job(snakemake) as record:
        given, made, params = snakemake.input, snakemake.output, snakemake.params
        settings, threads = params.fine_tuning, snakemake.threads
        record.seed = settings["seed"]
        device = prepare_device(settings["threads"], settings["seed"], deterministic=True)
        multiple = size_multiple(read_config(given.config))
        preprocessor = Preprocessor(**params.image_size, **read_channels(given.channels), multiple=multiple)
        model = load_base(given.base, given.config)
        examples = read_examples(given.images, given.annotations, preprocessor, threads)
        monitor = read_examples(given.monitor_images, given.monitor_annotations, preprocessor, threads)
        digests = [file_digest(path) for path in given]
        recipe = json.dumps([settings, params.image_size, params.code, digests, device.type, software()])
        state = TrainingState(params.state, recipe)
        history = fine_tune(model, examples, preprocessor, settings, device, state, monitor)
        save_detector(model, preprocessor, made.model, made.config, made.preprocessor)
        write_history(made.history, history)
        record.images = {"in": len(examples), "out": len(examples)}
    state.remove()  # after the record, which means done
