"""The metadata: validated, given a role per experiment, joined, reconciled with the images, described and counted.

NEEDS  data/BIOSCAN_Insect_Dataset_metadata.tsv, results/boxes/ and results/packages/
MAKES  results/metadata/, results/splits/ and results/statistics/
"""


rule validate_metadata:
    input:
        metadata=rules.fetch_metadata.output.file,
    output:
        metadata="results/metadata/validated.parquet",
        warnings="results/metadata/warnings.tsv",
        record=f"{RECORD}/validate_metadata/metadata.json",
    log:
        "logs/validate_metadata.log",
    benchmark:
        "benchmarks/validate_metadata.jsonl"
    conda:
        "../envs/data.yaml"
    threads: 4
    resources:
        mem_mb=per_attempt(4_000),
        runtime=per_attempt(30),
    params:
        chunks=PLAN.chunk_numbers,
        labels=PLAN.labels(),
        experiments=PLAN.split_experiments,
        code=code_digest("validate_metadata"),
    message:
        "Validate the source metadata."
    script:
        "../workflow_scripts/validate_metadata.py"


rule build_splits:
    input:
        metadata=rules.validate_metadata.output.metadata,
        previous=previous_releases(config["splits"]),
    output:
        splits=collect(SPLIT, experiment=PLAN.split_experiments),
        roles="results/splits/roles.parquet",
        counts="results/splits/counts.tsv",
        shortfalls="results/splits/shortfalls.tsv",
        record=f"{RECORD}/build_splits/splits.json",
    log:
        "logs/build_splits.log",
    benchmark:
        "benchmarks/build_splits.jsonl"
    conda:
        "../envs/data.yaml"
    threads: 4
    resources:
        mem_mb=per_attempt(4_000),
        runtime=per_attempt(30),
    params:
        splits=config["splits"],
        code=code_digest("build_splits"),
    message:
        "Give every image its role in every experiment."
    script:
        "../workflow_scripts/build_splits.py"


rule join_metadata:
    input:
        metadata=rules.fetch_metadata.output.file,
        roles=rules.build_splits.output.roles,
    output:
        metadata=METADATA,
        record=f"{RECORD}/join_metadata/metadata.json",
    log:
        "logs/join_metadata.log",
    conda:
        "../envs/data.yaml"
    threads: 4
    resources:
        mem_mb=per_attempt(4_000),
        runtime=per_attempt(30),
    params:
        labels=PLAN.labels(),
        code=code_digest("join_metadata"),
    message:
        "Write the metadata with its split columns."
    script:
        "../workflow_scripts/join_metadata.py"


rule write_parquet:
    input:
        metadata=METADATA,
    output:
        parquet=METADATA_PARQUET,
        record=f"{RECORD}/write_parquet/metadata.json",
    log:
        "logs/write_parquet.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=per_attempt(8_000),
        runtime=per_attempt(30),
    params:
        code=code_digest("write_parquet"),
    message:
        "Write the metadata as Parquet."
    script:
        "../workflow_scripts/write_parquet.py"


rule reconcile_images:
    input:
        metadata=rules.validate_metadata.output.metadata,
        boxes=from_originals(
            *collect(rules.detect_insects.output.boxes, chunk=PLAN.chunks)
        ),
        zips=[] if PLAN.from_originals else shards_of("cropped_256"),
        quarantines=[] if PLAN.from_originals else losses_of_resizing(),
    output:
        reconciliation="results/metadata/reconciliation.tsv",
        chunks="results/metadata/chunks.tsv",
        record=f"{RECORD}/reconcile_images/metadata.json",
    log:
        "logs/reconcile_images.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=per_attempt(8_000),
        runtime=per_attempt(30),
    params:
        chunks=PLAN.chunk_numbers,
        code=code_digest("reconcile_images"),
    message:
        "Compare the rows of the metadata with the images of the chunks."
    script:
        "../workflow_scripts/reconcile_images.py"


rule describe_dataset:
    input:
        metadata=METADATA,
        packages=[
            METADATA_PARQUET,
            *collect(rules.pack_hdf5.output.package, package=PLAN.packages),
            *collect(rules.pack_zip.output.package, package=PLAN.packages),
            *collect(rules.pack_crops.output.package, group=PLAN.groups),
        ],
    output:
        jsonld="results/metadata/BIOSCAN_Insect_Dataset_metadata.jsonld",
        croissant="results/metadata/croissant.json",
        record=f"{RECORD}/describe_dataset/metadata.json",
    log:
        "logs/describe_dataset.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=per_attempt(8_000),
        runtime=per_attempt(60),
    params:
        attributes=config["packages"]["attributes"],
        experiments=PLAN.split_experiments,
        code=code_digest("describe_dataset"),
    message:
        "Describe the dataset as JSON-LD and as Croissant."
    script:
        "../workflow_scripts/describe_dataset.py"


rule summarise_dataset:
    input:
        metadata=METADATA,
    output:
        labels="results/statistics/labels.tsv",
        imbalance="results/statistics/imbalance.tsv",
        splits="results/statistics/splits.tsv",
        distribution="results/statistics/class_distribution.tsv",
        leakage="results/statistics/leakage.tsv",
        figure=report(
            "results/figures/class_distribution.png",
            category=DATASET_PART,
            caption="captions/class_distribution.rst",
            labels={"result": "Images per class (figure 2)"},
        ),
        record=f"{RECORD}/summarise_dataset/statistics.json",
    log:
        "logs/summarise_dataset.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=per_attempt(12_000),
        runtime=per_attempt(30),
    params:
        experiments=PLAN.label_columns(),
        code=code_digest("summarise_dataset"),
    message:
        "Count classes, labels and roles, beside the paper's figures."
    script:
        "../workflow_scripts/summarise_dataset.py"


rule digest_experiment:
    input:
        split=SPLIT,
        package=CLASSIFIER_PACKAGE,
    output:
        digest="results/experiments/{experiment}/data.digest.json",
        record=f"{RECORD}/digest_experiment/{{experiment}}.json",
    log:
        "logs/digest_experiment/{experiment}.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=per_attempt(8_000),
        runtime=per_attempt(60),
    params:
        code=code_digest("digest_experiment"),
    message:
        "Digest the images and roles of {wildcards.experiment}."
    script:
        "../workflow_scripts/digest_experiment.py"
