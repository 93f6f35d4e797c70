"""What users ask for by name: results, and the record of every job that leads to them.

A job that fails loses its outputs, but Snakemake has noted by then what they were to be made from (Job.postprocess). What
was made of the earlier outputs is still there, so without a target that asks for it nothing would make the job run again:
the results of the old parameters would stay. Records are the outputs that nobody removes to make room.

NEEDS  the rules of all stages
MAKES  the targets dataset, detector, experiments, inference, embeddings and predict
"""

DATASET = [
    *rules.describe_dataset.input.packages,
    *rules.describe_dataset.output,
    *rules.summarise_dataset.output,
    *rules.reconcile_images.output,
    *rules.join_metadata.output,
    *from_originals(
        *rules.draw_crops.output,
        *rules.summarise_boxes.output,
        *rules.draw_doubtful.output,
    ),
    *collect(rules.join_quarantine.output.table, chunk=PLAN.chunks),
    *collect(rules.digest_experiment.output.digest, experiment=PLAN.experiments),
    *of_comparisons(f"{COMPARED}/data.digest.json"),
]
DETECTORS = [
    *rules.tabulate_detector.output,
    *collect(f"{DETECTOR}/model.safetensors", detector=PLAN.detectors),
    *collect(f"{DETECTOR}/training.svg", detector=PLAN.trained_detectors),
    *of_evaluations(rules.draw_detector_gallery.output.gallery),
]
EXPERIMENTS = [
    # Not an input of the trainings: Snakemake would not see their changed digests while this is still to be made.
    *collect(rules.list_classes.output.classes, experiment=PLAN.experiments),
    *rules.summarise_experiments.output,
    *collect(
        rules.draw_experiment.output.confusion_matrix, experiment=PLAN.experiments
    ),
    *COMPARISON_TABLES,
    *RELEASED_TABLES,
    *rules.render_experiments.output.pages,
]
INFERENCE = [
    *rules.form_prediction_sets.output,
    *rules.roll_up_predictions.output,
    *rules.find_label_errors.output,
    *from_originals(*rules.list_unusable_images.output),
]
SPLIT_RECORDS = records("fetch_metadata", "validate_metadata", "build_splits")
EXPERIMENT_RECORDS = [
    *records_of_packages([config["classifier"]["package"]]),
    *SPLIT_RECORDS,
    *records("fetch_backbone", backbone=PLAN.pretrained_backbones),
    *of_trials(rules.train_classifier.output.record),
    *records("select_trial", "test_classifier", experiment=PLAN.experiments),
]


rule dataset:
    input:
        DATASET,
        records_of_packages(PLAN.packages),
        SPLIT_RECORDS,


rule detector:
    input:
        DETECTORS,
        records_of_detectors(PLAN.detectors),
        of_evaluations(rules.evaluate_detector.output.record),


rule experiments:
    input:
        EXPERIMENTS,
        EXPERIMENT_RECORDS,
        of_comparisons(rules.train_for_comparison.output.record),
        of_comparisons(rules.test_for_comparison.output.record),
        of_released(rules.fetch_released.output.record),
        of_released(rules.import_classifier.output.record),
        of_released(rules.test_released.output.record),


rule inference:
    input:
        INFERENCE,
        EXPERIMENT_RECORDS,


rule embeddings:
    input:
        collect(rules.embed_images.output, experiment=PLAN.experiments),
        EXPERIMENT_RECORDS,


rule predict:
    input:
        collect(rules.predict_photographs.output, chunk=PLAN.photographs),
        records("fetch_photographs", chunk=PLAN.photographs),
        records(
            "detect_on_photographs",
            "crop_photographs",
            chunk=where_cropped(list(PLAN.photographs)),
        ),
        records(
            "resize_photographs",
            "pack_photographs",
            chunk=PLAN.photographs,
            package=[config["classifier"]["package"]],
        ),
