"""Find the insect in every image of one chunk; see bioscan1m/crop/detection.py for the method."""

from bioscan1m.crop.detection import detect_chunk
from bioscan1m.detector.detector import load_detector
from bioscan1m.device import passes_at_a_time, prepare_device
from bioscan1m.job import job
from bioscan1m.provenance.provenance import file_digest

if __name__ == "__main__":
    with job(snakemake) as record:
        given, made, params = snakemake.input, snakemake.output, snakemake.params
        detection = params.detection
        files = given.model, given.config, given.preprocessor
        device = prepare_device(params.machine["threads"], seed=0)
        detector = load_detector(*files, device, detection["image_size"], detection["precision"])
        digests = {name: file_digest(given[name]) for name in ("model", "config", "preprocessor")}
        record.images = detect_chunk(
            given.chunk,
            detector,
            detection,
            params.machine["batch_size"],
            snakemake.threads,
            passes_at_a_time(device, snakemake.threads, params.machine["threads"]),
            params.unreadable_limit,
            made.boxes,
            made.quarantine,
            {**digests, **detection},
        )
