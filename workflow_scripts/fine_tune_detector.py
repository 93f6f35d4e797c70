"""Fine-tune a detector on annotated images; see bioscan1m/detector_training.py for the method."""

from bioscan1m.detector import load_base, save_detector
from bioscan1m.detector_examples import read_examples
from bioscan1m.detector_input import Preprocessor
from bioscan1m.detector_training import fine_tune, write_history
from bioscan1m.device import prepare_device
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake) as record:
        given, made, settings = snakemake.input, snakemake.output, snakemake.params.fine_tuning
        record.seed = settings["seed"]
        device = prepare_device(settings["threads"], settings["seed"])
        preprocessor = Preprocessor(**snakemake.params.image_size)
        config, weights = given.base
        model = load_base(weights, config)
        examples = read_examples(given.images, given.annotations, preprocessor, snakemake.threads)
        history = fine_tune(model, examples, preprocessor, settings, device)
        save_detector(model, preprocessor, made.model, made.config, made.preprocessor)
        write_history(made.history, history)
        record.images = {"in": len(examples), "out": len(examples)}
