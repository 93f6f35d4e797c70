"""Everything that comes from outside. These rules are local: compute nodes have no internet.

NEEDS  chunks.tsv and the sources that the config names
MAKES  data/chunks/, data/BIOSCAN_Insect_Dataset_metadata.tsv, data/annotations/, data/checkpoints/, data/weights/
"""


rule fetch_chunk:
    input:
        lambda wildcards: local_source(PLAN.sources[wildcards.chunk]),
    output:
        chunk=CHUNK if config["fetch"]["keep_chunks"] else temp(CHUNK),
        record=f"{RECORD}/fetch_chunk/part{{chunk}}.json",
    log:
        "logs/fetch_chunk/part{chunk}.log",
    retries: 2
    localrule: True
    conda:
        "../envs/fetch.yaml"
    resources:
        downloads=1,
    params:
        source=lambda wildcards: with_size(PLAN.sources[wildcards.chunk]),
        fetch=unwatched(FETCH),
        temporary=unwatched(not config["fetch"]["keep_chunks"]),
        code=unwatched(code_digest("fetch_chunk")),
    message:
        "Fetch chunk {wildcards.chunk}."
    script:
        "../workflow_scripts/fetch_chunk.py"


rule fetch_metadata:
    input:
        local_source(config["metadata"]),
    output:
        file="data/BIOSCAN_Insect_Dataset_metadata.tsv",
        record=f"{RECORD}/fetch_metadata/metadata.json",
    log:
        "logs/fetch_metadata.log",
    retries: 2
    localrule: True
    conda:
        "../envs/fetch.yaml"
    resources:
        downloads=1,
    params:
        source=with_size(config["metadata"]),
        fetch=unwatched(FETCH),
        code=unwatched(code_digest("fetch_file")),
    message:
        "Fetch the source metadata."
    script:
        "../workflow_scripts/fetch_file.py"


rule fetch_annotations:
    input:
        lambda wildcards: local_source(
            config["detector"]["image_sets"][wildcards.image_set]["annotations"]
        ),
    output:
        file="data/annotations/{image_set}.json",
        record=f"{RECORD}/fetch_annotations/{{image_set}}.json",
    log:
        "logs/fetch_annotations/{image_set}.log",
    retries: 2
    localrule: True
    conda:
        "../envs/fetch.yaml"
    resources:
        downloads=1,
    params:
        source=lambda wildcards: with_size(
            config["detector"]["image_sets"][wildcards.image_set]["annotations"]
        ),
        fetch=unwatched(FETCH),
        code=unwatched(code_digest("fetch_file")),
    message:
        "Fetch the boxes of the image set {wildcards.image_set}."
    script:
        "../workflow_scripts/fetch_file.py"


rule fetch_annotated_images:
    input:
        lambda wildcards: local_source(
            config["detector"]["image_sets"][wildcards.image_set]["images"]
        ),
    output:
        chunk="data/annotations/{image_set}.zip",
        record=f"{RECORD}/fetch_annotated_images/{{image_set}}.json",
    log:
        "logs/fetch_annotated_images/{image_set}.log",
    retries: 2
    localrule: True
    conda:
        "../envs/fetch.yaml"
    resources:
        downloads=1,
    params:
        source=lambda wildcards: with_size(
            config["detector"]["image_sets"][wildcards.image_set]["images"]
        ),
        fetch=unwatched(FETCH),
        code=unwatched(code_digest("fetch_chunk")),
    message:
        "Fetch the images of the image set {wildcards.image_set}."
    script:
        "../workflow_scripts/fetch_chunk.py"


rule fetch_checkpoint:
    input:
        lambda wildcards: local_source(
            config["detector"]["checkpoints"][wildcards.detector]
        ),
    output:
        file="data/checkpoints/{detector}.ckpt",
        record=f"{RECORD}/fetch_checkpoint/{{detector}}.json",
    log:
        "logs/fetch_checkpoint/{detector}.log",
    retries: 2
    localrule: True
    conda:
        "../envs/fetch.yaml"
    resources:
        downloads=1,
    params:
        source=lambda wildcards: with_size(
            config["detector"]["checkpoints"][wildcards.detector]
        ),
        fetch=unwatched(FETCH),
        code=unwatched(code_digest("fetch_file")),
    message:
        "Fetch the detector's checkpoint {wildcards.detector}."
    script:
        "../workflow_scripts/fetch_file.py"


rule fetch_detector:
    output:
        config="data/weights/detector/config.json",
        model="data/weights/detector/model.safetensors",
        channels="data/weights/detector/channels.json",
        digest="data/weights/detector/digest.json",
        record=f"{RECORD}/fetch_detector/base.json",
    log:
        "logs/fetch_detector.log",
    retries: 2
    localrule: True
    conda:
        "../envs/torch.yaml"
    resources:
        downloads=1,
    params:
        source=config["detector"]["fine_tuning"]["base"],
        code=unwatched(code_digest("fetch_detector")),
    message:
        "Fetch {params.source}, the detector to start from."
    script:
        "../workflow_scripts/fetch_detector.py"


rule fetch_backbone:
    output:
        config="data/weights/{backbone}/config.json",
        model="data/weights/{backbone}/model.safetensors",
        digest="data/weights/{backbone}/digest.json",
        record=f"{RECORD}/fetch_backbone/{{backbone}}.json",
    log:
        "logs/fetch_backbone/{backbone}.log",
    retries: 2
    localrule: True
    conda:
        "../envs/torch.yaml"
    resources:
        downloads=1,
    params:
        backbone=lambda wildcards: config["classifier"]["backbones"][wildcards.backbone],
        code=unwatched(code_digest("fetch_backbone")),
    message:
        "Fetch the pretrained weights of {wildcards.backbone}."
    script:
        "../workflow_scripts/fetch_backbone.py"
