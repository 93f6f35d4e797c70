"""The detector: fine-tuned on annotated images or taken from a checkpoint, and measured on the validation sets.

NEEDS  data/annotations/, and data/weights/detector/ or data/checkpoints/
MAKES  results/annotations/, results/detector/{detector}/ and the table of precision and recall, metrics.tsv
"""


rule clean_annotations:
    input:
        images=rules.fetch_annotated_images.output.chunk,
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
        mem_mb=per_attempt(2_000),
        runtime=per_attempt(30),
    params:
        code=code_digest("clean_annotations"),
    message:
        "Clean the boxes of the image set {wildcards.image_set}."
    script:
        "../workflow_scripts/clean_annotations.py"


rule fine_tune_detector:
    input:
        images=annotated("data/annotations/{image_set}.zip"),
        annotations=annotated(ANNOTATIONS),
        monitor_images=monitored("data/annotations/{image_set}.zip"),
        monitor_annotations=monitored(ANNOTATIONS),
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
    conda:
        "../envs/torch.yaml"
    threads: config["detector"]["fine_tuning"]["threads"]
    resources:
        gpu=1,
        mem_mb=per_attempt(32_000),
        runtime=per_attempt(180),
    params:
        image_size=config["detector"]["image_size"],
        fine_tuning=config["detector"]["fine_tuning"],
        state=unfinished,
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
        mem_mb=per_attempt(8_000),
        runtime=per_attempt(20),
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
        images="data/annotations/{image_set}.zip",
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
        gpu=1,
        mem_mb=per_attempt(16_000),
        runtime=per_attempt(60),
    params:
        detection={name: DETECTION[name] for name in ("image_size", "precision")},
        machine=unwatched(DETECTION_MACHINE),
        code=code_digest("evaluate_detector"),
    message:
        "Evaluate the detector {wildcards.detector} on {wildcards.image_set}."
    script:
        "../workflow_scripts/evaluate_detector.py"


rule draw_detector_gallery:
    input:
        images=rules.fetch_annotated_images.output.chunk,
        annotations=ANNOTATIONS,
        best_boxes=rules.evaluate_detector.output.best_boxes,
    output:
        gallery=report(
            f"{DETECTOR}/evaluation/{{image_set}}.png",
            category=DETECTOR_PART,
            subcategory="Boxes, worst first",
            caption="captions/detector_gallery.rst",
            labels={"detector": "{detector}", "validation set": "{image_set}"},
        ),
        record=f"{RECORD}/draw_detector_gallery/{{detector}}/{{image_set}}.json",
    log:
        "logs/draw_detector_gallery/{detector}/{image_set}.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=per_attempt(4_000),
        runtime=per_attempt(10),
    params:
        crop=config["crop"],
        code=code_digest("draw_detector_gallery"),
    message:
        "Draw the worst boxes of the detector {wildcards.detector} on {wildcards.image_set}."
    script:
        "../workflow_scripts/draw_detector_gallery.py"


rule draw_detector_training:
    input:
        history=rules.fine_tune_detector.output.history,
    output:
        figure=report(
            f"{DETECTOR}/training.svg",
            category=DETECTOR_PART,
            subcategory="Training",
            caption="captions/detector_training.rst",
            labels={"detector": "{detector}"},
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
        counts=collect(
            "results/annotations/{image_set}.tsv", image_set=PLAN.used_image_sets
        ),
        metrics=of_evaluations(rules.evaluate_detector.output.metrics),
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
        code=code_digest("tabulate_detector"),
    message:
        "Tabulate the precision and recall of every detector."
    script:
        "../workflow_scripts/tabulate_detector.py"
