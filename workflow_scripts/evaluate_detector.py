"""Measure a detector on one image set: average precision and recall, and the surest boxes."""

from bioscan1m.detector.detector import load_detector
from bioscan1m.detector.detector_evaluation import evaluate, fixed_box, metrics
from bioscan1m.detector.detector_examples import read_examples
from bioscan1m.detector.detector_results import write_best_boxes, write_metrics
from bioscan1m.device import prepare_device
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake) as record:
        given, made, params = snakemake.input, snakemake.output, snakemake.params
        detection, files = params.detection, (given.model, given.config, given.preprocessor)
        device = prepare_device(params.machine["threads"], seed=0)
        detector = load_detector(*files, device, detection["image_size"], detection["precision"])
        examples = read_examples([given.images], [given.annotations], detector.preprocessor, snakemake.threads)
        evaluated = evaluate(detector, examples, params.machine["batch_size"])
        names = snakemake.wildcards.detector, snakemake.wildcards.image_set
        write_metrics(made.metrics, *names, metrics(evaluated), metrics(fixed_box(examples)))
        write_best_boxes(made.best_boxes, evaluated)
        record.images = {"in": len(examples), "out": len(evaluated)}
