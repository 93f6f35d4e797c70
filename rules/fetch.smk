"""Everything that comes from outside. These rules are local: compute nodes have no internet.

NEEDS  chunks.tsv and the sources that the config names
MAKES  data/chunks/, data/BIOSCAN_Insect_Dataset_metadata.tsv, data/annotations/, data/checkpoints/, data/weights/
"""

CHUNK = {
    ORIGINALS: "data/chunks/bioscan_images_original_full_part{chunk}.zip",
    CROPS: "data/packages/bioscan_images_cropped_full_part{chunk}.zip",
    CROPPED_256: "data/packages/cropped_256_part{chunk}.zip",
}[ENTRY]
KEEP_CHUNKS = config["fetch"]["keep_chunks"]
IMAGE_SETS = config["detector"]["image_sets"]
CHECKPOINTS = config["detector"]["checkpoints"]
# These rules have no retries, whatever the profile states: what may pass is tried again by their scripts and by the
# clients of the hubs, and a wrong checksum or a missing file would be as wrong once more.
FETCH = only(config["fetch"], "attempts", "timeout")


rule fetch_annotated_images:
    input:
        lambda wildcards: local_source(IMAGE_SETS[wildcards.image_set]["images"]),
    output:
        chunk="data/annotations/{image_set}.zip",
        record=f"{RECORD}/fetch_annotated_images/{{image_set}}.json",
    log:
        "logs/fetch_annotated_images/{image_set}.log",
    retries: 0
    localrule: True
    conda:
        "../envs/fetch.yaml"
    resources:
        downloads=1,
    params:
        **unwatched(fetch=FETCH, code=code_digest("fetch_chunk")),
        source=lambda wildcards: with_local_state(IMAGE_SETS[wildcards.image_set]["images"]),
    message:
        "Fetch the images of the image set {wildcards.image_set}."
    script:
        "../workflow_scripts/fetch_chunk.py"


use rule fetch_annotated_images as fetch_chunk with:
    input:
        lambda wildcards: local_source(PLAN.sources[wildcards.chunk]),
    output:
        chunk=CHUNK if KEEP_CHUNKS else temp(CHUNK),
        record=f"{RECORD}/fetch_chunk/part{{chunk}}.json",
    log:
        "logs/fetch_chunk/part{chunk}.log",
    localrule: True  # not taken over from fetch_annotated_images
    params:
        **unwatched(fetch=FETCH, temporary=not KEEP_CHUNKS, code=code_digest("fetch_chunk")),
        source=lambda wildcards: with_local_state(PLAN.sources[wildcards.chunk]),
    message:
        "Fetch chunk {wildcards.chunk}."


rule fetch_metadata:
    input:
        local_source(config["metadata"]),
    output:
        file="data/BIOSCAN_Insect_Dataset_metadata.tsv",
        record=f"{RECORD}/fetch_metadata/metadata.json",
    log:
        "logs/fetch_metadata.log",
    retries: 0
    localrule: True
    conda:
        "../envs/fetch.yaml"
    resources:
        downloads=1,
    params:
        **unwatched(fetch=FETCH, code=code_digest("fetch_file")),
        source=with_local_state(config["metadata"]),
    message:
        "Fetch the source metadata."
    script:
        "../workflow_scripts/fetch_file.py"


use rule fetch_metadata as fetch_annotations with:
    input:
        lambda wildcards: local_source(IMAGE_SETS[wildcards.image_set]["annotations"]),
    output:
        file="data/annotations/{image_set}.json",
        record=f"{RECORD}/fetch_annotations/{{image_set}}.json",
    log:
        "logs/fetch_annotations/{image_set}.log",
    localrule: True  # not taken over from fetch_metadata
    params:
        source=lambda wildcards: with_local_state(IMAGE_SETS[wildcards.image_set]["annotations"]),
    message:
        "Fetch the boxes of the image set {wildcards.image_set}."


use rule fetch_metadata as fetch_checkpoint with:
    input:
        lambda wildcards: local_source(CHECKPOINTS[wildcards.detector]),
    output:
        file="data/checkpoints/{detector}.ckpt",
        record=f"{RECORD}/fetch_checkpoint/{{detector}}.json",
    log:
        "logs/fetch_checkpoint/{detector}.log",
    localrule: True  # not taken over from fetch_metadata
    params:
        source=lambda wildcards: with_local_state(CHECKPOINTS[wildcards.detector]),
    message:
        "Fetch the detector's checkpoint {wildcards.detector}."


rule fetch_detector:
    output:
        config="data/weights/detector/config.json",
        model="data/weights/detector/model.safetensors",
        channels="data/weights/detector/channels.json",
        digest="data/weights/detector/digest.json",
        record=f"{RECORD}/fetch_detector/base.json",
    log:
        "logs/fetch_detector.log",
    retries: 0
    localrule: True
    conda:
        "../envs/torch.yaml"
    resources:
        downloads=1,
    params:
        **unwatched(code=code_digest("fetch_detector")),
        source=config["detector"]["fine_tuning"]["base"],
    message:
        "Fetch {params.source}, the detector to start from."
    script:
        "../workflow_scripts/fetch_detector.py"


rule fetch_backbone:
    output:
        config="data/weights/{backbone}/config.json",
        model="data/weights/{backbone}/model.safetensors",
        channels="data/weights/{backbone}/channels.json",
        digest="data/weights/{backbone}/digest.json",
        record=f"{RECORD}/fetch_backbone/{{backbone}}.json",
    log:
        "logs/fetch_backbone/{backbone}.log",
    retries: 0
    localrule: True
    conda:
        "../envs/torch.yaml"
    resources:
        downloads=1,
    params:
        **unwatched(
            code=code_digest("fetch_backbone"),
            normalisation=lambda wildcards: PLAN.normalisation(wildcards.backbone),
        ),
        backbone=lambda wildcards: PLAN.network(wildcards.backbone),
    message:
        "Fetch the pretrained weights of {wildcards.backbone}."
    script:
        "../workflow_scripts/fetch_backbone.py"
