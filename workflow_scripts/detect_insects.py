"""Find the insect in every image of one chunk; see bioscan1m/crop/detection.py for the method."""

from bioscan1m.crop.detection import Detection, Machine, detect_chunk
from bioscan1m.detector.model import load_detector
from bioscan1m.foundation.digests import file_digest
from bioscan1m.jobs.context import job
from bioscan1m.networks.device import passes_at_a_time, prepare_device

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        detection, threads = Detection(**params.detection), params.machine["threads"]
        device = prepare_device(threads, seed=0)
        files = {name: inputs[name] for name in ("model", "config", "preprocessor")}
        detector = load_detector(**files, device=device, image_size=detection.image_size, precision=detection.precision)
        record.images = detect_chunk(
            inputs.chunk,
            detector,
            detection=detection,
            machine=Machine(
                batch_size=params.machine["batch_size"],
                decoders=snakemake.threads,
                passes=passes_at_a_time(device, snakemake.threads, threads),
            ),
            unreadable_limit=params.unreadable_limit,
            boxes=outputs.boxes,
            quarantine=outputs.quarantine,
            described={name: file_digest(path) for name, path in files.items()} | params.detection,
        )
