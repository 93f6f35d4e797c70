"""What users ask for by name: results, and the record of every job that leads to them.

A job that fails loses its outputs, but Snakemake has noted by then what they were to be made from (Job.postprocess). What
was made of the earlier outputs is still there, so without a target that asks for it nothing would make the job run again:
the results of the old parameters would stay. Records are the outputs that nobody removes to make room.

NEEDS  the rules of all stages
MAKES  the targets dataset, detector, splits, experiments, inference, embeddings and predict
"""

DATASET = [
    *rules.describe_dataset.input.packages,
    *rules.describe_dataset.output,
    *rules.summarise_dataset.output,
    *rules.draw_classes.output,
    *rules.reconcile_images.output,
    *rules.join_metadata.output,
    *only_if(PLAN.from_originals, *rules.draw_crops.output, *rules.summarise_boxes.output, *rules.draw_doubtful.output),
    *only_if(PLAN.duplicates, *rules.find_duplicates.output, *records("hash_images", chunk=PLAN.chunks)),
    *collect(rules.join_quarantine.output.table, chunk=PLAN.chunks),
    *collect(rules.digest_experiment.output.digest, experiment=PLAN.experiments),
    *each(f"{COMPARED}/data.digest.json", PLAN.comparisons),
]
DETECTORS = [
    *rules.tabulate_detector.output,
    *collect(f"{DETECTOR}/model.safetensors", detector=PLAN.detectors),
    *collect(f"{DETECTOR}/training.svg", detector=PLAN.trained_detectors),
    *each(rules.draw_detector_gallery.output.gallery, PLAN.detector_evaluations),
]
EXPERIMENTS = [
    *rules.write_parquet.output,  # the ranks of the classes: with it, predict needs no other target
    # Not an input of the trainings: Snakemake would not see their changed digests while this is still to be made.
    *collect(rules.list_classes.output.classes, experiment=PLAN.experiments),
    *rules.summarise_experiments.output,
    *collect(rules.draw_experiment.output.confusion_matrix, experiment=PLAN.experiments),
    *only_if(PLAN.comparisons, rules.compare_packages.output.table),
    *only_if(PLAN.released, rules.tabulate_released.output.table),
    *rules.render_experiments.output.pages,
    *collect(rules.embed_images.output, experiment=PLAN.predicting),  # predict asks how far a photograph is from them
]
INFERENCE = [
    *rules.form_prediction_sets.output,
    *rules.roll_up_predictions.output,
    *rules.find_label_errors.output,
    *only_if(PLAN.from_originals, *rules.list_unusable_images.output),
]
SPLIT_RECORDS = [
    *records("fetch_metadata", "validate_metadata", "build_splits"),
    *only_if(PLAN.duplicates == TOGETHER, *records("fetch_chunk", "hash_images", chunk=PLAN.chunks)),
    *only_if(PLAN.duplicates == TOGETHER, *records("find_duplicates")),
]
EXPERIMENT_RECORDS = [
    *records_of_packages([PACKAGE]),
    *SPLIT_RECORDS,
    *records("fetch_backbone", backbone=PLAN.pretrained_backbones),
    *records("measure_channels", experiment=PLAN.measured_experiments),
    *records("compute_features", backbone=PLAN.frozen_backbones),
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
        records_of_image_sets(PLAN.used_image_sets),  # those too on which detectors are only evaluated
        each(rules.evaluate_detector.output.record, PLAN.detector_evaluations),


rule splits:
    input:
        rules.join_metadata.output,
        rules.build_splits.output,
        SPLIT_RECORDS,


rule experiments:
    input:
        EXPERIMENTS,
        EXPERIMENT_RECORDS,
        records_of_packages(only_if(PLAN.from_originals, "original_256")),
        each(rules.measure_for_comparison.output.record, PLAN.measured_comparisons),
        each(rules.train_for_comparison.output.record, PLAN.comparisons),
        each(rules.test_for_comparison.output.record, PLAN.comparisons),
        each(rules.fetch_released.output.record, PLAN.released),
        each(rules.import_classifier.output.record, PLAN.released),
        each(rules.test_released.output.record, PLAN.released),


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
        collect(rules.show_predictions.output, chunk=PLAN.photographs),
        collect(rules.join_predictions.output, folder=PLAN.photographs_in_parts),
        records("fetch_photographs", chunk=PLAN.photographs),
        # Where the run itself crops nothing, no other target asks for the detector.
        records_of_detectors(only_if(PLAN.photographs and DETECTS_FOR_PREDICTIONS_ALONE, config["detector"]["use"])),
        records("detect_on_photographs", "crop_photographs", chunk=only_if(PREDICTS_ON_CROPS, *PLAN.photographs)),
        records("resize_photographs", "pack_photographs", chunk=PLAN.photographs, package=[PACKAGE]),
