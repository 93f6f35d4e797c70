"""The trials, the choice among them on the validation images, the tests, and the tables and figures of the paper.

NEEDS  results/packages/, results/splits/, the digest of each experiment's data, and data/weights/
MAKES  results/experiments/ and results/summary/
"""

CLASSIFIER_PACKAGE = f"results/packages/{PACKAGE}.hdf5"
TRIAL = "results/experiments/{experiment}/{backbone}_{loss}_seed{seed}"


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
        **per_attempt(mem_mb=8_000, runtime=60),
    params:
        code=code_digest("digest_experiment"),
    message:
        "Digest the images and roles of {wildcards.experiment}."
    script:
        "../workflow_scripts/digest_experiment.py"


rule list_classes:
    input:
        split=SPLIT,
    output:
        classes="results/experiments/{experiment}/classes.tsv",
        record=f"{RECORD}/list_classes/{{experiment}}.json",
    log:
        "logs/list_classes/{experiment}.log",
    priority: 1  # before hours of other work: it stops where an experiment cannot be trained
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        label=lambda wildcards: PLAN.label_columns()[wildcards.experiment],
        code=code_digest("list_classes"),
    message:
        "List the classes of {wildcards.experiment}."
    script:
        "../workflow_scripts/list_classes.py"


rule measure_channels:
    input:
        package=ancient(CLASSIFIER_PACKAGE),
        split=ancient(SPLIT),
        digest=rules.digest_experiment.output.digest,
    output:
        channels="results/experiments/{experiment}/channels.json",
        record=f"{RECORD}/measure_channels/{{experiment}}.json",
    log:
        "logs/measure_channels/{experiment}.log",
    conda:
        "../envs/data.yaml"
    threads: 8
    resources:
        **per_attempt(mem_mb=8_000, runtime=60),
    params:
        **unwatched("package", "split"),
        code=code_digest("measure_channels"),
    message:
        "Measure the channels of the training images of {wildcards.experiment}."
    script:
        "../workflow_scripts/measure_channels.py"


rule compute_features:
    input:
        package=ancient(CLASSIFIER_PACKAGE),
        splits=ancient(of_frozen_experiments(SPLIT)),
        digests=of_frozen_experiments(rules.digest_experiment.output.digest),
        weights=ancient(["data/weights/{backbone}/config.json", "data/weights/{backbone}/model.safetensors"]),
        weights_digest="data/weights/{backbone}/digest.json",
        channels=lambda wildcards: channels_of_weights(wildcards.backbone),
    output:
        features="results/features/{backbone}.parquet",
        record=f"{RECORD}/compute_features/{{backbone}}.json",
    log:
        "logs/compute_features/{backbone}.log",
    benchmark:
        "benchmarks/compute_features/{backbone}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: features_threads
    resources:
        **per_attempt(mem_mb=32_000, runtime=720),
        gpu=1,
    params:
        **unwatched(
            *("package", "splits", "weights"),
            training=lambda wildcards: PLAN.features_training(wildcards.backbone),
            scratch=config["scratch"],
        ),
        trunk=lambda wildcards: PLAN.trunk_settings(wildcards.backbone),
        code=code_digest("compute_features"),
    message:
        "Compute the features of all images by {wildcards.backbone}."
    script:
        "../workflow_scripts/compute_features.py"


rule train_classifier:
    input:
        package=ancient(CLASSIFIER_PACKAGE),
        split=ancient(SPLIT),
        digest=rules.digest_experiment.output.digest,
        weights=ancient(pretrained("config.json", "model.safetensors")),
        weights_digest=pretrained("digest.json"),
        channels=channels(rules.measure_channels.output.channels),
        features=features(rules.compute_features.output.features),
    output:
        model=f"{TRIAL}/model.safetensors",
        history=f"{TRIAL}/history.tsv",
        speed=f"{TRIAL}/speed.tsv",
        events=only_if(config["classifier"]["tensorboard"], f"{TRIAL}/events.tfevents"),
        validation=f"{TRIAL}/validation.json",
        record=f"{RECORD}/train_classifier/{{experiment}}/{{backbone}}_{{loss}}_seed{{seed}}.json",
    log:
        "logs/train_classifier/{experiment}/{backbone}_{loss}_seed{seed}.log",
    benchmark:
        "benchmarks/train_classifier/{experiment}/{backbone}_{loss}_seed{seed}.jsonl"
    retries: TRAINING_RETRIES
    conda:
        "../envs/torch.yaml"
    threads: training_threads
    resources:
        **per_attempt_of_training(mem_mb=32_000, runtime=1_440),
        gpu=training_gpus,
        nodes=1,  # of which its processes are
    params:
        **unwatched("package", "split", "weights", workers=training_setting("workers"), scratch=config["scratch"]),
        trial=trial_settings,
        state=lambda wildcards, output: f"{output.model}.unfinished",  # no output, for Snakemake removes those
        code=code_digest("train_classifier"),
    message:
        "Train {wildcards.backbone} with {wildcards.loss}, seed {wildcards.seed}, on {wildcards.experiment}."
    script:
        "../workflow_scripts/train_classifier.py"


rule select_trial:
    input:
        validations=files_of_experiment(rules.train_classifier.output.validation),
    output:
        selection="results/experiments/{experiment}/selection.json",
        record=f"{RECORD}/select_trial/{{experiment}}.json",
    log:
        "logs/select_trial/{experiment}.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        selection=config["classifier"]["selection"],
        code=code_digest("select_trial"),
    message:
        "Choose the trial of {wildcards.experiment} that is tested."
    script:
        "../workflow_scripts/select_trial.py"


rule test_classifier:
    input:
        package=ancient(CLASSIFIER_PACKAGE),
        split=ancient(SPLIT),
        digest=rules.digest_experiment.output.digest,
        selection=rules.select_trial.output.selection,
        models=files_of_experiment(rules.train_classifier.output.model),
    output:
        test="results/experiments/{experiment}/test.json",
        predictions="results/experiments/{experiment}/predictions.parquet",
        validation_predictions="results/experiments/{experiment}/validation_predictions.parquet",
        record=f"{RECORD}/test_classifier/{{experiment}}.json",
    log:
        "logs/test_classifier/{experiment}.log",
    benchmark:
        "benchmarks/test_classifier/{experiment}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: test_threads
    resources:
        **per_attempt(mem_mb=32_000, runtime=120),
        gpu=1,
    params:
        **unwatched("package", "split", scratch=config["scratch"]),
        evaluation=config["classifier"]["evaluation"],
        code=code_digest("test_classifier"),
    message:
        "Test the chosen model of {wildcards.experiment}."
    script:
        "../workflow_scripts/test_classifier.py"


rule draw_experiment:
    input:
        histories=files_of_experiment(rules.train_classifier.output.history),
        validations=files_of_experiment(rules.train_classifier.output.validation),
        test=rules.test_classifier.output.test,
        predictions=rules.test_classifier.output.predictions,
        package=ancient(CLASSIFIER_PACKAGE),
        photographs=ancient(only_if(PLAN.from_originals and "original" not in PACKAGE, ORIGINAL_256)),
        counts=ancient(SPLIT_COUNTS),
    output:
        class_accuracy=figure_of_experiment("class_accuracy", "Accuracy by class (figure 5)"),
        confusion_matrix=figure_of_experiment("confusion_matrix", "Confusion matrix (figures A1, A2)"),
        misclassified=figure_of_experiment("misclassified", "Misclassified images"),
        taken_for_dominant=figure_of_experiment("taken_for_dominant", "Taken for the dominant class (figure A4)"),
        reliability=figure_of_experiment("reliability", "Calibration"),
        training_curves=figure_of_experiment("training_curves", "Training curves"),
        record=f"{RECORD}/draw_experiment/{{experiment}}.json",
    log:
        "logs/draw_experiment/{experiment}.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=8_000, runtime=30),
    params:
        **unwatched("package", "photographs", "counts"),
        task=lambda wildcards: PLAN.task_of(wildcards.experiment),
        code=code_digest("draw_experiment"),
    message:
        "Draw the results of {wildcards.experiment}."
    script:
        "../workflow_scripts/draw_experiment.py"


rule summarise_experiments:
    input:
        validations=of_trials(rules.train_classifier.output.validation),
        selections=collect(rules.select_trial.output.selection, experiment=PLAN.experiments),
        tests=collect(rules.test_classifier.output.test, experiment=PLAN.experiments),
        counts=ancient(SPLIT_COUNTS),
        splits=ancient(collect(SPLIT, experiment=PLAN.experiments)),
        quarantines=ancient(collect(QUARANTINE, stage=PLAN.stages_of(PACKAGE), chunk=PLAN.chunks)),
    output:
        left_out="results/summary/images_left_out.tsv",
        validation="results/summary/validation.tsv",
        test="results/summary/test.tsv",
        misclassified="results/summary/misclassified.tsv",
        backbones="results/summary/backbones.tsv",
        headline="results/summary/headline.txt",
        record=f"{RECORD}/summarise_experiments/summary.json",
    log:
        "logs/summarise_experiments.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        **unwatched("counts", "splits", "quarantines"),
        **PAPER,
        tasks={experiment: PLAN.task_of(experiment) for experiment in PLAN.experiments},
        code=code_digest("summarise_experiments"),
    message:
        "Tabulate the experiments beside the paper's figures."
    script:
        "../workflow_scripts/summarise_experiments.py"
