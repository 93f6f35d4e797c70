"""The trials, the choice among them on the validation images, the tests, and the tables and figures of the paper.

NEEDS  results/packages/, results/splits/, the digest of each experiment's data, and data/weights/
MAKES  results/experiments/ and results/summary/
"""


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
        label=label_column,
        code=code_digest("list_classes"),
    message:
        "List the classes of {wildcards.experiment}."
    script:
        "../workflow_scripts/list_classes.py"


rule train_classifier:
    input:
        package=ancient(CLASSIFIER_PACKAGE),
        split=ancient(SPLIT),
        digest=rules.digest_experiment.output.digest,
        weights=ancient(backbone_weights("config.json", "model.safetensors")),
        weights_digest=backbone_weights("digest.json"),
    output:
        model=f"{TRIAL}/model.safetensors",
        history=f"{TRIAL}/history.tsv",
        speed=f"{TRIAL}/speed.tsv",
        events=EVENTS,
        validation=f"{TRIAL}/validation.json",
        record=f"{RECORD}/train_classifier/{{experiment}}/{{backbone}}_{{loss}}_seed{{seed}}.json",
    log:
        "logs/train_classifier/{experiment}/{backbone}_{loss}_seed{seed}.log",
    benchmark:
        "benchmarks/train_classifier/{experiment}/{backbone}_{loss}_seed{seed}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: training_threads
    resources:
        gpu=training_processes,
        mem_mb=per_attempt(32_000),
        runtime=per_attempt(1_440),
    params:
        trial=trial_settings,
        workers=unwatched(trial_workers),
        state=unfinished,
        scratch=unwatched(config["scratch"]),
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
        gpu=1,
        mem_mb=per_attempt(32_000),
        runtime=per_attempt(120),
    params:
        evaluation=config["classifier"]["evaluation"],
        scratch=unwatched(config["scratch"]),
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
    output:
        class_accuracy=report(
            "results/figures/{experiment}/class_accuracy.png",
            category=EXPERIMENTS_PART,
            subcategory="{experiment}",
            caption="captions/class_accuracy.rst",
            labels={"result": "Accuracy by class (figure 5)"},
        ),
        confusion_matrix=report(
            "results/figures/{experiment}/confusion_matrix.png",
            category=EXPERIMENTS_PART,
            subcategory="{experiment}",
            caption="captions/confusion_matrix.rst",
            labels={"result": "Confusion matrix (figures A1, A2)"},
        ),
        misclassified=report(
            "results/figures/{experiment}/misclassified.png",
            category=EXPERIMENTS_PART,
            subcategory="{experiment}",
            caption="captions/misclassified.rst",
            labels={"result": "Misclassified images (figure A3)"},
        ),
        taken_for_dominant=report(
            "results/figures/{experiment}/taken_for_dominant.png",
            category=EXPERIMENTS_PART,
            subcategory="{experiment}",
            caption="captions/taken_for_dominant.rst",
            labels={"result": "Taken for the dominant class (figure A4)"},
        ),
        reliability=report(
            "results/figures/{experiment}/reliability.png",
            category=EXPERIMENTS_PART,
            subcategory="{experiment}",
            caption="captions/reliability.rst",
            labels={"result": "Calibration"},
        ),
        training_curves=report(
            "results/figures/{experiment}/training_curves.png",
            category=EXPERIMENTS_PART,
            subcategory="{experiment}",
            caption="captions/training_curves.rst",
            labels={"result": "Training curves"},
        ),
        record=f"{RECORD}/draw_experiment/{{experiment}}.json",
    log:
        "logs/draw_experiment/{experiment}.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=per_attempt(8_000),
        runtime=per_attempt(30),
    params:
        code=code_digest("draw_experiment"),
    message:
        "Draw the results of {wildcards.experiment}."
    script:
        "../workflow_scripts/draw_experiment.py"


rule summarise_experiments:
    input:
        validations=of_trials(rules.train_classifier.output.validation),
        selections=collect(
            rules.select_trial.output.selection, experiment=PLAN.experiments
        ),
        tests=collect(rules.test_classifier.output.test, experiment=PLAN.experiments),
    output:
        validation="results/summary/validation.tsv",
        test="results/summary/test.tsv",
        misclassified="results/summary/misclassified.tsv",
        headline="results/summary/headline.txt",
        record=f"{RECORD}/summarise_experiments/summary.json",
    log:
        "logs/summarise_experiments.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code_digest("summarise_experiments"),
    message:
        "Tabulate the experiments beside the paper's figures."
    script:
        "../workflow_scripts/summarise_experiments.py"
