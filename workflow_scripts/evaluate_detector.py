"""Measure a detector on one image set: average precision and recall, and a gallery of the boxes that fit worst."""

from bioscan1m.detector import load_detector
from bioscan1m.detector_evaluation import evaluate, metrics, write_metrics
from bioscan1m.detector_examples import read_examples
from bioscan1m.detector_gallery import draw_gallery
from bioscan1m.device import prepare_device
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake) as record:
        given, made, params = snakemake.input, snakemake.output, snakemake.params
        device = prepare_device(params.detection["threads"], seed=0)
        detector = load_detector(given.model, given.config, given.preprocessor, device)
        examples = read_examples([given.images], [given.annotations], detector.preprocessor, snakemake.threads)
        evaluated = evaluate(detector, examples, params.detection["batch_size"])
        names = snakemake.wildcards.detector, snakemake.wildcards.image_set
        write_metrics(made.metrics, *names, metrics(evaluated))
        draw_gallery(made.gallery, evaluated, params.crop["ratio"])
        record.images = {"in": len(examples), "out": len(evaluated)}
