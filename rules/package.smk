"""Images of 256 pixels and the packages that the classifiers and the world read.

NEEDS  data/chunks/ and results/cropped/, or the published data/packages/ that the config's entry names
MAKES  results/packages/{original_256,cropped_256}.{hdf5,zip}, the zips of full-size crops, and the quarantine tables
"""


rule resize_chunk:
    input:
        images=images_to_resize,
    output:
        shard=SHARD,
        quarantine="results/quarantine/{package}/part{chunk}.tsv",
        record=f"{RECORD}/resize_chunk/{{package}}/part{{chunk}}.json",
    log:
        "logs/resize_chunk/{package}/part{chunk}.log",
    benchmark:
        "benchmarks/resize_chunk/{package}/part{chunk}.jsonl"
    conda:
        "../envs/data.yaml"
    threads: 8
    resources:
        mem_mb=per_attempt(4_000),
        runtime=per_attempt(60),
    params:
        resize=config["resize"],
        keep_folders=not PLAN.from_originals,
        unreadable_limit=unwatched(config["unreadable_limit"]),
        code=code_digest("resize_chunk"),
    message:
        "Resize chunk {wildcards.chunk} for {wildcards.package}."
    script:
        "../workflow_scripts/resize_chunk.py"


rule pack_hdf5:
    input:
        shards=shards_of_package,
    output:
        package="results/packages/{package}.hdf5",
        record=f"{RECORD}/pack_hdf5/{{package}}.json",
    log:
        "logs/pack_hdf5/{package}.log",
    benchmark:
        "benchmarks/pack_hdf5/{package}.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=per_attempt(8_000),
        runtime=per_attempt(120),
    params:
        attributes=config["packages"]["attributes"],
        scratch=unwatched(config["scratch"]),
        code=code_digest("pack_hdf5"),
    message:
        "Pack {wildcards.package}.hdf5."
    script:
        "../workflow_scripts/pack_hdf5.py"


rule pack_zip:
    input:
        zips=shards_of_package,
    output:
        package="results/packages/{package}.zip",
        record=f"{RECORD}/pack_zip/{{package}}.json",
    log:
        "logs/pack_zip/{package}.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=per_attempt(4_000),
        runtime=per_attempt(120),
    params:
        scratch=unwatched(config["scratch"]),
        code=code_digest("pack_zip"),
    message:
        "Pack {wildcards.package}.zip."
    script:
        "../workflow_scripts/pack_zip.py"


rule pack_crops:
    input:
        zips=crops_of_group,
    output:
        package="results/packages/bioscan_images_cropped_full_part{group}.zip",
        record=f"{RECORD}/pack_crops/part{{group}}.json",
    log:
        "logs/pack_crops/part{group}.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=per_attempt(4_000),
        runtime=per_attempt(120),
    params:
        supersedes=unwatched(True),  # of the same chunks in other groups
        scratch=unwatched(config["scratch"]),
        code=code_digest("pack_zip"),
    message:
        "Pack the full-size crops of the chunks {wildcards.group}."
    script:
        "../workflow_scripts/pack_zip.py"


rule join_quarantine:
    input:
        tables=collect(
            "results/quarantine/{stage}/part{chunk}.tsv",
            stage=QUARANTINE_STAGES,
            allow_missing=True,
        ),
    output:
        table="results/quarantine/part{chunk}.tsv",
        record=f"{RECORD}/join_quarantine/part{{chunk}}.json",
    log:
        "logs/join_quarantine/part{chunk}.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code_digest("join_quarantine"),
    message:
        "Join the quarantine tables of chunk {wildcards.chunk}."
    script:
        "../workflow_scripts/join_quarantine.py"


rule join_all_quarantine:
    input:
        tables=collect(rules.join_quarantine.output.table, chunk=PLAN.chunks),
        reconciliation="results/metadata/reconciliation.tsv",
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


rule draw_doubtful:
    input:
        boxes=collect(rules.detect_insects.output.boxes, chunk=PLAN.chunks),
        package="results/packages/original_256.hdf5",
    output:
        figure=report(
            "results/figures/doubtful_boxes.png",
            category=CROPS_PART,
            caption="captions/doubtful_boxes.rst",
            labels={"result": "Boxes to look at first"},
        ),
        record=f"{RECORD}/draw_doubtful/boxes.json",
    log:
        "logs/draw_doubtful.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=per_attempt(4_000),
        runtime=per_attempt(20),
    params:
        crop=config["crop"],
        code=code_digest("draw_doubtful"),
    message:
        "Draw the boxes that are most in doubt."
    script:
        "../workflow_scripts/draw_doubtful.py"
