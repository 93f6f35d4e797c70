"""Photographs of your own, by the detector and the classifiers of this run: each folder or zip is one more chunk.

NEEDS  the folders and zips that inference.photographs names, results/detector/ and results/experiments/
MAKES  results/predictions/{chunk}/predictions.tsv, and predictions.html, a page with pictures; of a large folder each
       part is a chunk, and results/predictions/{folder}/predictions.tsv has the rows of all
"""

PHOTOGRAPHS = "results/predictions/{chunk}"
# Of the photographs all but the last may be unusable: each is in the table with its reason.
ALL_BUT_ONE = 0.999999
PHOTOGRAPHS_ZIP = {"original_256": f"{PHOTOGRAPHS}/photographs.zip", "cropped_256": f"{PHOTOGRAPHS}/cropped.zip"}
PREDICTS_ON_CROPS = PACKAGE == "cropped_256"
CROPS_OF_THIS_RUN = PREDICTS_ON_CROPS and PLAN.from_originals
DETECTS_FOR_PREDICTIONS_ALONE = PREDICTS_ON_CROPS and not PLAN.from_originals


use rule fetch_chunk as fetch_photographs with:
    input:
        lambda wildcards: local_source(PLAN.photographs[wildcards.chunk]),
    output:
        chunk=f"{PHOTOGRAPHS}/photographs.zip",
        record=f"{RECORD}/fetch_photographs/{{chunk}}.json",
    log:
        "logs/fetch_photographs/{chunk}.log",
    localrule: True  # not taken over from fetch_chunk
    params:
        **unwatched(fetch=FETCH, temporary=False, code=code_digest("fetch_chunk")),
        source=lambda wildcards: with_local_state(PLAN.photographs[wildcards.chunk]),
    message:
        "Collect the photographs of {wildcards.chunk}."


use rule detect_insects as detect_on_photographs with:
    input:
        chunk=rules.fetch_photographs.output.chunk,
        model=f"{CROPPING_DETECTOR}/model.safetensors",
        config=f"{CROPPING_DETECTOR}/config.json",
        preprocessor=f"{CROPPING_DETECTOR}/preprocessor.json",
    output:
        boxes=f"{PHOTOGRAPHS}/boxes.parquet",
        quarantine=f"{PHOTOGRAPHS}/quarantine/detect.tsv",
        record=f"{RECORD}/detect_on_photographs/{{chunk}}.json",
    log:
        "logs/detect_on_photographs/{chunk}.log",
    benchmark:
        "benchmarks/detect_on_photographs/{chunk}.jsonl"
    params:
        **unwatched(machine=DETECTION_MACHINE, unreadable_limit=ALL_BUT_ONE),
    message:
        "Find the insects of {wildcards.chunk}."


use rule crop_chunk as crop_photographs with:
    input:
        chunk=rules.fetch_photographs.output.chunk,
        boxes=rules.detect_on_photographs.output.boxes,
    output:
        cropped=f"{PHOTOGRAPHS}/cropped.zip",
        quarantine=f"{PHOTOGRAPHS}/quarantine/crop.tsv",
        record=f"{RECORD}/crop_photographs/{{chunk}}.json",
    log:
        "logs/crop_photographs/{chunk}.log",
    benchmark:
        "benchmarks/crop_photographs/{chunk}.jsonl"
    params:
        **unwatched(unreadable_limit=ALL_BUT_ONE),
    message:
        "Cut out the insects of {wildcards.chunk}."


use rule resize_chunk as resize_photographs with:
    input:
        images=lambda wildcards: PHOTOGRAPHS_ZIP[wildcards.package],
    output:
        shard=f"{PHOTOGRAPHS}/{{package}}.zip",
        quarantine=f"{PHOTOGRAPHS}/quarantine/{{package}}.tsv",
        record=f"{RECORD}/resize_photographs/{{package}}/{{chunk}}.json",
    log:
        "logs/resize_photographs/{package}/{chunk}.log",
    benchmark:
        "benchmarks/resize_photographs/{package}/{chunk}.jsonl"
    params:
        **unwatched(unreadable_limit=ALL_BUT_ONE),
    message:
        "Resize the photographs of {wildcards.chunk}."


use rule pack_hdf5 as pack_photographs with:
    input:
        shards=[rules.resize_photographs.output.shard],
    output:
        package=f"{PHOTOGRAPHS}/{{package}}.hdf5",
        record=f"{RECORD}/pack_photographs/{{package}}/{{chunk}}.json",
    log:
        "logs/pack_photographs/{package}/{chunk}.log",
    benchmark:
        "benchmarks/pack_photographs/{package}/{chunk}.jsonl"
    message:
        "Pack the photographs of {wildcards.chunk}."


rule predict_photographs:
    input:
        package=f"{PHOTOGRAPHS}/{PACKAGE}.hdf5",
        boxes=only_if(PREDICTS_ON_CROPS, rules.detect_on_photographs.output.boxes),
        quarantine=collect(
            f"{PHOTOGRAPHS}/quarantine/{{stage}}.tsv",
            stage=[*only_if(PREDICTS_ON_CROPS, "detect", "crop"), PACKAGE],
            allow_missing=True,
        ),
        # A path alone asks for no rule: make predict runs none of these.
        metadata=str(rules.write_parquet.output.parquet),
        run_boxes=ancient(
            only_if(CROPS_OF_THIS_RUN, *collect(str(rules.detect_insects.output.boxes), chunk=PLAN.chunks))
        ),
        selections=collect(rules.select_trial.output.selection, experiment=PLAN.predicting),
        validations=collect(rules.test_classifier.output.validation_predictions, experiment=PLAN.predicting),
        calibrations=collect(rules.test_classifier.output.predictions, experiment=PLAN.predicting),
        preparation=ancient(
            [
                *records("digest_experiment", experiment=PLAN.predicting),
                *records("pack_hdf5", package=[PACKAGE]),
                *records(
                    "resize_chunk", chunk=PLAN.chunks, package=only_if(PACKAGE in PLAN.resized_packages, PACKAGE)
                ),
                *records("detect_insects", "crop_chunk", chunk=only_if(CROPS_OF_THIS_RUN, *PLAN.chunks)),
            ]
        ),
        digests=ancient(collect(rules.digest_experiment.output.digest, experiment=PLAN.predicting)),
        own_preparation=[
            rules.resize_photographs.output.record.replace("{package}", PACKAGE),
            *only_if(
                PREDICTS_ON_CROPS, rules.detect_on_photographs.output.record, rules.crop_photographs.output.record
            ),
        ],
        embeddings=collect(rules.embed_images.output.embeddings, experiment=PLAN.predicting),
        models=of_trials(rules.train_classifier.output.model, PLAN.predicting),
    output:
        # Those that are there stay until the new ones are whole: other outputs are removed before a job runs.
        predictions=update(f"{PHOTOGRAPHS}/predictions.tsv"),
        record=f"{RECORD}/predict_photographs/{{chunk}}.json",
    log:
        "logs/predict_photographs/{chunk}.log",
    benchmark:
        "benchmarks/predict_photographs/{chunk}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: max(map(cores_of, map(PLAN.training, PLAN.predicting)), default=1)  # one classifier after the other
    resources:
        **per_attempt(mem_mb=32_000, runtime=120),
        gpu=1,
    params:
        **unwatched("run_boxes", "preparation", "digests"),
        labels=only(PLAN.label_columns(), *PLAN.predicting),
        levels=config["inference"]["confidence_levels"],
        false_alarms=config["inference"]["false_alarms"],
        same_preparation=config["inference"]["same_preparation"],
        code=code_digest("predict_photographs"),
    message:
        "Predict what is on the photographs of {wildcards.chunk}."
    script:
        "../workflow_scripts/predict_photographs.py"


rule show_predictions:
    input:
        predictions=rules.predict_photographs.output.predictions,
        photographs=rules.fetch_photographs.output.chunk,
        crops=only_if(PREDICTS_ON_CROPS, f"{PHOTOGRAPHS}/cropped_256.hdf5"),
    output:
        page=update(f"{PHOTOGRAPHS}/predictions.html"),
        record=f"{RECORD}/show_predictions/{{chunk}}.json",
    log:
        "logs/show_predictions/{chunk}.log",
    benchmark:
        "benchmarks/show_predictions/{chunk}.jsonl"
    conda:
        "../envs/data.yaml"
    threads: 8
    resources:
        **per_attempt(mem_mb=4_000, runtime=60),
    params:
        **READING,
        code=code_digest("show_predictions"),
    message:
        "Show the predictions for {wildcards.chunk}."
    script:
        "../workflow_scripts/show_predictions.py"


rule join_predictions:
    input:
        parts=lambda wildcards: collect(
            rules.predict_photographs.output.predictions, chunk=PLAN.photographs_in_parts[wildcards.folder]
        ),
    output:
        predictions=update("results/predictions/{folder}/predictions.tsv"),
        record=f"{RECORD}/join_predictions/{{folder}}.json",
    log:
        "logs/join_predictions/{folder}.log",
    benchmark:
        "benchmarks/join_predictions/{folder}.jsonl"
    wildcard_constraints:
        folder="|".join(map(re.escape, PLAN.photographs_in_parts)) or "(?!)",  # none
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=4_000, runtime=20),
    params:
        code=code_digest("join_predictions"),
    message:
        "Join the predictions for the parts of {wildcards.folder}."
    script:
        "../workflow_scripts/join_predictions.py"


ruleorder: join_predictions > predict_photographs
