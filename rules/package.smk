"""Images of 256 pixels and the packages that the classifiers and the world read.

NEEDS  data/chunks/ and results/cropped/, or the published data/packages/ that the config's entry names
MAKES  results/packages/{original_256,cropped_256}.{hdf5,zip}, the zips of full-size crops, and the quarantine tables
"""

ORIGINAL_256 = "results/packages/original_256.hdf5"
SHARD = "results/shards/{package}/part{chunk}.zip"
IMAGES = {"original_256": CHUNK, "cropped_256": rules.crop_chunk.output.cropped if PLAN.from_originals else CHUNK}
QUARANTINE = "results/quarantine/{stage}/part{chunk}.tsv"
QUARANTINING_STAGES = list(dict.fromkeys(stage for name in PLAN.packages for stage in PLAN.stages_of(name)))


rule resize_chunk:
    input:
        images=lambda wildcards: IMAGES[wildcards.package],
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
        **per_attempt(mem_mb=4_000, runtime=20),
    params:
        **unwatched(unreadable_limit=config["unreadable_limit"]),
        **READING,
        resize=recorded_resize(config["resize"]),
        keep_folders=not PLAN.from_originals,
        code=code_digest("resize_chunk"),
    message:
        "Resize chunk {wildcards.chunk} for {wildcards.package}."
    script:
        "../workflow_scripts/resize_chunk.py"


rule join_quarantine:
    input:
        tables=collect(QUARANTINE, stage=QUARANTINING_STAGES, allow_missing=True),
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


rule pack_hdf5:
    input:
        shards=collect(SHARD if PLAN.resized_packages else CHUNK, chunk=PLAN.chunks, allow_missing=True),
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
        **per_attempt(mem_mb=8_000, runtime=120),
    params:
        **unwatched(scratch=config["scratch"]),
        attributes=config["packages"]["attributes"],
        code=code_digest("pack_hdf5"),
    message:
        "Pack {wildcards.package}.hdf5."
    script:
        "../workflow_scripts/pack_hdf5.py"


rule draw_doubtful:
    input:
        boxes=collect(rules.detect_insects.output.boxes, chunk=PLAN.chunks),
        package=ORIGINAL_256,
    output:
        figure=in_report("results/figures/doubtful_boxes.png", "2 Crops", result="Boxes to look at first"),
        record=f"{RECORD}/draw_doubtful/boxes.json",
    log:
        "logs/draw_doubtful.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=4_000, runtime=20),
    params:
        crop=recorded_parameters(config, "crop"),
        code=code_digest("draw_doubtful"),
    message:
        "Draw the boxes that are most in doubt."
    script:
        "../workflow_scripts/draw_doubtful.py"


rule pack_zip:
    input:
        zips=rules.pack_hdf5.input.shards,
    output:
        package="results/packages/{package}.zip",
        record=f"{RECORD}/pack_zip/{{package}}.json",
    log:
        "logs/pack_zip/{package}.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=4_000, runtime=120),
    params:
        **unwatched(scratch=config["scratch"]),
        code=code_digest("pack_zip"),
    message:
        "Pack {wildcards.package}.zip."
    script:
        "../workflow_scripts/pack_zip.py"


use rule pack_zip as pack_crops with:
    input:
        zips=lambda wildcards: collect(rules.crop_chunk.output.cropped, chunk=PLAN.groups[wildcards.group]),
    output:
        package="results/packages/bioscan_images_cropped_full_part{group}.zip",
        record=f"{RECORD}/pack_crops/part{{group}}.json",
    log:
        "logs/pack_crops/part{group}.log",
    params:
        # It supersedes zips of the same chunks in other groups.
        **unwatched(supersedes=True, scratch=config["scratch"]),
    message:
        "Pack the full-size crops of the chunks {wildcards.group}."
