"""The detector: fine-tuned on annotated images or taken from a checkpoint, and measured on the validation sets.

NEEDS  data/annotations/, and data/weights/detector/ or data/checkpoints/
MAKES  results/annotations/, results/detector/{detector}/ and the table of precision and recall, metrics.tsv
"""

DETECTOR = "results/detector/{detector}"
ANNOTATED_IMAGES = rules.fetch_annotated_images.output.chunk
ANNOTATIONS = "results/annotations/{image_set}.json"
MONITOR = only_if(config["detector"]["fine_tuning"]["monitor"], config["detector"]["fine_tuning"]["monitor"])
# No parameter where all image sets have the default, so that a run made before the keys were there is as it was.
BOXES = {
    key: lambda wildcards, key=key, default=default: IMAGE_SETS[wildcards.image_set].get(key, default)
    for key, default in {"boxes": "pixels", "category": None}.items()
    if any(image_set.get(key, default) != default for image_set in IMAGE_SETS.values())
}
# Of the config's detection: what decides which box is found, and what only decides how fast.
PRECISION = only(config["detector"]["detection"], "image_size", "precision")
DETECTION = PRECISION | only(config["detector"]["detection"], "score_threshold", "below_threshold")
DETECTION_MACHINE = only(config["detector"]["detection"], "batch_size", "threads")
DETECTION_THREADS = max(only(config["detector"]["detection"], "threads", "decoders").values())


rule clean_annotations:
    input:
        images=ANNOTATED_IMAGES,
        annotations=rules.fetch_annotations.output.file,
    output:
        annotations=ANNOTATIONS,
        counts="results/annotations/{image_set}.tsv",
        record=f"{RECORD}/clean_annotations/{{image_set}}.json",
    log:
        "logs/clean_annotations/{image_set}.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=2_000, runtime=30),
    params:
        **READING,
        **BOXES,
        code=code_digest("clean_annotations"),
    message:
        "Clean the boxes of the image set {wildcards.image_set}."
    script:
        "../workflow_scripts/clean_annotations.py"


rule fine_tune_detector:
    input:
        images=lambda wildcards: collect(ANNOTATED_IMAGES, image_set=PLAN.image_sets(wildcards.detector)),
        annotations=lambda wildcards: collect(ANNOTATIONS, image_set=PLAN.image_sets(wildcards.detector)),
        monitor_images=collect(ANNOTATED_IMAGES, image_set=MONITOR),
        monitor_annotations=collect(ANNOTATIONS, image_set=MONITOR),
        base=ancient(rules.fetch_detector.output.model),
        config=ancient(rules.fetch_detector.output.config),
        channels=ancient(rules.fetch_detector.output.channels),
        digest=rules.fetch_detector.output.digest,
    output:
        model=f"{DETECTOR}/model.safetensors",
        config=f"{DETECTOR}/config.json",
        preprocessor=f"{DETECTOR}/preprocessor.json",
        history=f"{DETECTOR}/history.tsv",
        record=f"{RECORD}/fine_tune_detector/{{detector}}.json",
    log:
        "logs/fine_tune_detector/{detector}.log",
    benchmark:
        "benchmarks/fine_tune_detector/{detector}.jsonl"
    wildcard_constraints:
        detector="|".join(map(re.escape, PLAN.trained_detectors)) or "$.",
    retries: TRAINING_RETRIES
    conda:
        "../envs/torch.yaml"
    threads: config["detector"]["fine_tuning"]["threads"]
    resources:
        **per_attempt_of_training(mem_mb=32_000, runtime=180),
        gpu=1,
    params:
        **unwatched("base", "config", "channels"),
        **READING,
        image_size=config["detector"]["image_size"],
        fine_tuning=config["detector"]["fine_tuning"],
        state=lambda wildcards, output: f"{output.model}.unfinished",  # no output, for Snakemake removes those
        code=code_digest("fine_tune_detector"),
    message:
        "Fine-tune the detector on {wildcards.detector}."
    script:
        "../workflow_scripts/fine_tune_detector.py"


rule import_detector:
    input:
        checkpoint=rules.fetch_checkpoint.output.file,
    output:
        model=f"{DETECTOR}/model.safetensors",
        config=f"{DETECTOR}/config.json",
        preprocessor=f"{DETECTOR}/preprocessor.json",
        record=f"{RECORD}/import_detector/{{detector}}.json",
    log:
        "logs/import_detector/{detector}.log",
    wildcard_constraints:
        detector="|".join(map(re.escape, config["detector"]["checkpoints"])) or "$.",
    conda:
        "../envs/torch.yaml"
    resources:
        **per_attempt(mem_mb=8_000, runtime=20),
    params:
        image_size=config["detector"]["image_size"],
        code=code_digest("import_detector"),
    message:
        "Import the detector {wildcards.detector} from its checkpoint."
    script:
        "../workflow_scripts/import_detector.py"


rule evaluate_detector:
    input:
        model=f"{DETECTOR}/model.safetensors",
        config=f"{DETECTOR}/config.json",
        preprocessor=f"{DETECTOR}/preprocessor.json",
        images=ANNOTATED_IMAGES,
        annotations=ANNOTATIONS,
    output:
        metrics=f"{DETECTOR}/evaluation/{{image_set}}.tsv",
        best_boxes=f"{DETECTOR}/evaluation/{{image_set}}.parquet",
        record=f"{RECORD}/evaluate_detector/{{detector}}/{{image_set}}.json",
    log:
        "logs/evaluate_detector/{detector}/{image_set}.log",
    conda:
        "../envs/torch.yaml"
    threads: DETECTION_THREADS
    resources:
        **per_attempt(mem_mb=16_000, runtime=60),
        gpu=1,
    params:
        **unwatched(machine=DETECTION_MACHINE),
        **READING,
        detection=PRECISION,
        code=code_digest("evaluate_detector"),
    message:
        "Evaluate the detector {wildcards.detector} on {wildcards.image_set}."
    script:
        "../workflow_scripts/evaluate_detector.py"


rule draw_detector_gallery:
    input:
        images=ANNOTATED_IMAGES,
        annotations=ANNOTATIONS,
        best_boxes=rules.evaluate_detector.output.best_boxes,
    output:
        gallery=in_report(
            f"{DETECTOR}/evaluation/{{image_set}}.png",
            "1 Detector",
            group="Boxes, worst first",
            caption="detector_gallery",
            **{"detector": "{detector}", "validation set": "{image_set}"},
        ),
        record=f"{RECORD}/draw_detector_gallery/{{detector}}/{{image_set}}.json",
    log:
        "logs/draw_detector_gallery/{detector}/{image_set}.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=4_000, runtime=10),
    params:
        **READING,
        crop=recorded_parameters(config, "crop"),
        code=code_digest("draw_detector_gallery"),
    message:
        "Draw the worst boxes of the detector {wildcards.detector} on {wildcards.image_set}."
    script:
        "../workflow_scripts/draw_detector_gallery.py"


rule draw_detector_training:
    input:
        history=rules.fine_tune_detector.output.history,
    output:
        figure=in_report(
            f"{DETECTOR}/training.svg", "1 Detector", "Training", caption="detector_training", detector="{detector}"
        ),
        record=f"{RECORD}/draw_detector_training/{{detector}}.json",
    log:
        "logs/draw_detector_training/{detector}.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code_digest("draw_detector_training"),
    message:
        "Draw the training of the detector {wildcards.detector}."
    script:
        "../workflow_scripts/draw_detector_training.py"


rule tabulate_detector:
    input:
        counts=collect(rules.clean_annotations.output.counts, image_set=PLAN.used_image_sets),
        metrics=each(rules.evaluate_detector.output.metrics, PLAN.detector_evaluations),
    output:
        metrics="results/detector/metrics.tsv",
        comparison="results/detector/metrics_published.tsv",
        image_sets="results/detector/image_sets.tsv",
        record=f"{RECORD}/tabulate_detector/metrics.json",
    log:
        "logs/tabulate_detector.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        **PAPER,
        code=code_digest("tabulate_detector"),
    message:
        "Tabulate the precision and recall of every detector."
    script:
        "../workflow_scripts/tabulate_detector.py"
