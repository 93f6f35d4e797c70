"""Every insect is found and cut out. Two rules, so that another crop ratio needs no GPU.

NEEDS  data/chunks/ and results/detector/
MAKES  results/boxes/part{chunk}.parquet, then results/cropped/bioscan_images_cropped_full_part{chunk}.zip
"""

CROPPING_DETECTOR = DETECTOR.format(detector=config["detector"]["use"])


rule detect_insects:
    input:
        chunk=rules.fetch_chunk.output.chunk,
        model=f"{CROPPING_DETECTOR}/model.safetensors",
        config=f"{CROPPING_DETECTOR}/config.json",
        preprocessor=f"{CROPPING_DETECTOR}/preprocessor.json",
    output:
        boxes="results/boxes/part{chunk}.parquet",
        quarantine="results/quarantine/detect/part{chunk}.tsv",
        record=f"{RECORD}/detect_insects/part{{chunk}}.json",
    log:
        "logs/detect_insects/part{chunk}.log",
    benchmark:
        "benchmarks/detect_insects/part{chunk}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: DETECTION_THREADS
    resources:
        **per_attempt(mem_mb=16_000, runtime=60),
        gpu=1,
    params:
        **unwatched(machine=DETECTION_MACHINE, unreadable_limit=config["unreadable_limit"]),
        **READING,
        detection=DETECTION,
        code=code_digest("detect_insects"),
    message:
        "Find the insects of chunk {wildcards.chunk}."
    script:
        "../workflow_scripts/detect_insects.py"


rule crop_chunk:
    input:
        chunk=rules.fetch_chunk.output.chunk,
        boxes=rules.detect_insects.output.boxes,
    output:
        cropped="results/cropped/bioscan_images_cropped_full_part{chunk}.zip",
        quarantine="results/quarantine/crop/part{chunk}.tsv",
        record=f"{RECORD}/crop_chunk/part{{chunk}}.json",
    log:
        "logs/crop_chunk/part{chunk}.log",
    benchmark:
        "benchmarks/crop_chunk/part{chunk}.jsonl"
    conda:
        "../envs/data.yaml"
    threads: 8
    resources:
        **per_attempt(mem_mb=4_000, runtime=20),
    params:
        **unwatched(unreadable_limit=config["unreadable_limit"]),
        **READING,
        crop=recorded_parameters(config, "crop"),
        member_folder="part{chunk}",
        code=code_digest("crop_chunk"),
    message:
        "Cut out the insects of chunk {wildcards.chunk}."
    script:
        "../workflow_scripts/crop_chunk.py"


rule draw_crops:
    input:
        chunk=CHUNK.format(chunk=PLAN.chunks[0]),
        boxes=rules.detect_insects.output.boxes.format(chunk=PLAN.chunks[0]),
        cropped=rules.crop_chunk.output.cropped.format(chunk=PLAN.chunks[0]),
    output:
        figure=in_report("results/figures/crops.png", "2 Crops", result="Insects, boxes and crops"),
        record=f"{RECORD}/draw_crops/crops.json",
    log:
        "logs/draw_crops.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=4_000, runtime=10),
    params:
        **READING,
        crop=recorded_parameters(config, "crop"),
        code=code_digest("draw_crops"),
    message:
        "Draw some insects with their boxes and crops."
    script:
        "../workflow_scripts/draw_crops.py"


rule summarise_boxes:
    input:
        boxes=collect(rules.detect_insects.output.boxes, chunk=PLAN.chunks),
    output:
        summary="results/statistics/boxes.tsv",
        figure=in_report("results/figures/boxes.svg", "2 Crops", result="Scores, sizes and sharpness of the boxes"),
        record=f"{RECORD}/summarise_boxes/boxes.json",
    log:
        "logs/summarise_boxes.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=4_000, runtime=10),
    params:
        chunks=PLAN.chunks,
        code=code_digest("summarise_boxes"),
    message:
        "Count what the detector found."
    script:
        "../workflow_scripts/summarise_boxes.py"
