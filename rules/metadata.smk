"""The metadata: validated, given a role per experiment, joined, reconciled with the images, described and counted.

NEEDS  data/BIOSCAN_Insect_Dataset_metadata.tsv, results/boxes/ and results/packages/; for duplicates data/chunks/
MAKES  results/metadata/, results/splits/, results/statistics/, and results/duplicates/ where the config asks for it
"""

SPLIT = "results/splits/{experiment}.parquet"
SPLIT_COUNTS = "results/splits/counts.tsv"


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
        **per_attempt(mem_mb=4_000, runtime=30),
    params:
        **RELABELLING,
        **only(recorded_parameters(config, "splits"), *only_if(config["splits"]["group"], "group")),
        chunks=PLAN.chunk_numbers,
        labels=PLAN.labels(),
        experiments=PLAN.split_experiments,
        code=code_digest("validate_metadata"),
    message:
        "Validate the source metadata."
    script:
        "../workflow_scripts/validate_metadata.py"


rule hash_images:
    input:
        chunk=rules.fetch_chunk.output.chunk,
    output:
        hashes="results/duplicates/part{chunk}.parquet",
        record=f"{RECORD}/hash_images/part{{chunk}}.json",
    log:
        "logs/hash_images/part{chunk}.log",
    benchmark:
        "benchmarks/hash_images/part{chunk}.jsonl"
    conda:
        "../envs/data.yaml"
    threads: 8
    resources:
        **per_attempt(mem_mb=4_000, runtime=60),
    params:
        **READING,
        code=code_digest("hash_images"),
    message:
        "Hash the images of chunk {wildcards.chunk}."
    script:
        "../workflow_scripts/hash_images.py"


rule find_duplicates:
    input:
        hashes=collect(rules.hash_images.output.hashes, chunk=PLAN.chunks),
    output:
        duplicates="results/metadata/duplicates.tsv",
        record=f"{RECORD}/find_duplicates/duplicates.json",
    log:
        "logs/find_duplicates.log",
    benchmark:
        "benchmarks/find_duplicates.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=4_000, runtime=30),
    params:
        code=code_digest("find_duplicates"),
    message:
        "Find images that are copies of others."
    script:
        "../workflow_scripts/find_duplicates.py"


DUPLICATES = only_if(PLAN.duplicates, rules.find_duplicates.output.duplicates)


rule build_splits:
    input:
        metadata=rules.validate_metadata.output.metadata,
        previous=previous_releases(config["splits"]),
        duplicates=only_if(PLAN.duplicates == TOGETHER, *DUPLICATES),
    output:
        splits=collect(SPLIT, experiment=PLAN.split_experiments),
        roles="results/splits/roles.parquet",
        counts=SPLIT_COUNTS,
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
        **per_attempt(mem_mb=4_000, runtime=30),
    params:
        splits=recorded_parameters(config, "splits"),
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
        metadata="results/metadata/BIOSCAN_Insect_Dataset_metadata.tsv",
        record=f"{RECORD}/join_metadata/metadata.json",
    log:
        "logs/join_metadata.log",
    conda:
        "../envs/data.yaml"
    threads: 4
    resources:
        **per_attempt(mem_mb=4_000, runtime=30),
    params:
        **RELABELLING,
        labels=PLAN.labels(),
        code=code_digest("join_metadata"),
    message:
        "Write the metadata with its split columns."
    script:
        "../workflow_scripts/join_metadata.py"


rule write_parquet:
    input:
        metadata=rules.join_metadata.output.metadata,
    output:
        parquet="results/metadata/BIOSCAN_Insect_Dataset_metadata.parquet",
        record=f"{RECORD}/write_parquet/metadata.json",
    log:
        "logs/write_parquet.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=8_000, runtime=30),
    params:
        code=code_digest("write_parquet"),
    message:
        "Write the metadata as Parquet."
    script:
        "../workflow_scripts/write_parquet.py"


rule write_jsonld:
    input:
        metadata=rules.join_metadata.output.metadata,
    output:
        records="results/metadata/BIOSCAN_Insect_Dataset_records.jsonld",
        record=f"{RECORD}/write_jsonld/metadata.json",
    log:
        "logs/write_jsonld.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=2_000, runtime=30),
    params:
        code=code_digest("write_jsonld"),
    message:
        "Write the metadata as JSON-LD records."
    script:
        "../workflow_scripts/write_jsonld.py"


rule reconcile_images:
    input:
        metadata=rules.validate_metadata.output.metadata,
        boxes=only_if(PLAN.from_originals, *collect(rules.detect_insects.output.boxes, chunk=PLAN.chunks)),
        zips=only_if(not PLAN.from_originals, *collect(rules.pack_hdf5.input.shards, package="cropped_256")),
        quarantines=only_if(
            not PLAN.from_originals,
            *collect(rules.resize_chunk.output.quarantine, package=PLAN.resized_packages, chunk=PLAN.chunks),
        ),
    output:
        reconciliation="results/metadata/reconciliation.tsv",
        chunks="results/metadata/chunks.tsv",
        record=f"{RECORD}/reconcile_images/metadata.json",
    log:
        "logs/reconcile_images.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=8_000, runtime=30),
    params:
        chunks=PLAN.chunk_numbers,
        code=code_digest("reconcile_images"),
    message:
        "Compare the rows of the metadata with the images of the chunks."
    script:
        "../workflow_scripts/reconcile_images.py"


rule join_all_quarantine:
    input:
        tables=collect(rules.join_quarantine.output.table, chunk=PLAN.chunks),
        reconciliation=rules.reconcile_images.output.reconciliation,
    output:
        table="results/quarantine/all.tsv",
        record=f"{RECORD}/join_all_quarantine/all.json",
    log:
        "logs/join_all_quarantine.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        chunks=PLAN.chunks,
        code=code_digest("join_all_quarantine"),
    message:
        "Join the quarantine tables of all chunks."
    script:
        "../workflow_scripts/join_all_quarantine.py"


rule describe_dataset:
    input:
        metadata=rules.join_metadata.output.metadata,
        packages=[
            rules.write_parquet.output.parquet,
            *only_if(config["packages"]["jsonld_records"], rules.write_jsonld.output.records),
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
        **per_attempt(mem_mb=8_000, runtime=60),
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
        metadata=rules.join_metadata.output.metadata,
        duplicates=DUPLICATES,
    output:
        labels="results/statistics/labels.tsv",
        imbalance="results/statistics/imbalance.tsv",
        splits="results/statistics/splits.tsv",
        distribution="results/statistics/class_distribution.tsv",
        leakage="results/statistics/leakage.tsv",
        suspicious="results/statistics/suspicious_labels.tsv",
        figure=in_report("results/figures/class_distribution.png", "3 Dataset", result="Images per class (figure 2)"),
        record=f"{RECORD}/summarise_dataset/statistics.json",
    log:
        "logs/summarise_dataset.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=12_000, runtime=30),
    params:
        **PAPER,
        experiments=PLAN.label_columns(),
        code=code_digest("summarise_dataset"),
    message:
        "Count classes, labels and roles, beside the paper's figures."
    script:
        "../workflow_scripts/summarise_dataset.py"


rule draw_classes:
    input:
        classes=rules.summarise_dataset.output.distribution,
        splits=rules.build_splits.output.splits,
        package=f"results/packages/{PLAN.packages[0]}.hdf5",
    output:
        figure=in_report("results/figures/class_examples.png", "3 Dataset", result="An image of each class (figure 4)"),
        record=f"{RECORD}/draw_classes/classes.json",
    log:
        "logs/draw_classes.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=4_000, runtime=30),
    params:
        experiments=PLAN.label_columns(),
        code=code_digest("draw_classes"),
    message:
        "Draw an image of each class."
    script:
        "../workflow_scripts/draw_classes.py"
