"""What the selected classifiers are used for: sets of classes instead of guesses, the ranks that are safe, cleaner data.

NEEDS  the predictions in results/experiments/, results/metadata/, results/boxes/ and results/packages/
MAKES  results/experiments/{experiment}/{prediction_sets,ranks}.parquet, tables in results/summary/, results/cleaning/
"""


rule form_prediction_sets:
    input:
        test=collect(rules.test_classifier.output.predictions, experiment=PLAN.experiments),
        metadata=ancient(str(rules.write_parquet.output.parquet)),  # `ancient` marks what it gets for all rules
    output:
        sets=collect("results/experiments/{experiment}/prediction_sets.parquet", experiment=PLAN.experiments),
        summary="results/summary/prediction_sets.tsv",
        classes="results/summary/prediction_sets_by_class.tsv",
        figure=in_report(
            "results/figures/prediction_sets.png", "4 Experiments", result="Coverage and size of the prediction sets"
        ),
        record=f"{RECORD}/form_prediction_sets/summary.json",
    log:
        "logs/form_prediction_sets.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=8_000, runtime=30),
    params:
        **unwatched("metadata"),
        experiments=PLAN.experiments,
        group=config["splits"]["group"],
        levels=config["inference"]["confidence_levels"],
        code=code_digest("form_prediction_sets"),
    message:
        "Form sets of classes that hold the true one as often as promised."
    script:
        "../workflow_scripts/form_prediction_sets.py"


rule roll_up_predictions:
    input:
        test=collect(rules.test_classifier.output.predictions, experiment=PLAN.experiments),
        metadata=rules.write_parquet.output.parquet,
    output:
        ranks=collect("results/experiments/{experiment}/ranks.parquet", experiment=PLAN.experiments),
        accuracy="results/summary/ranks.tsv",
        record=f"{RECORD}/roll_up_predictions/summary.json",
    log:
        "logs/roll_up_predictions.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=12_000, runtime=30),
    params:
        labels=only(PLAN.label_columns(), *PLAN.experiments),
        levels=config["inference"]["confidence_levels"],
        code=code_digest("roll_up_predictions"),
    message:
        "Roll the predictions up to the coarser ranks."
    script:
        "../workflow_scripts/roll_up_predictions.py"


rule find_label_errors:
    input:
        validation=collect(rules.test_classifier.output.validation_predictions, experiment=PLAN.experiments),
        test=rules.form_prediction_sets.input.test,
        package=ancient(CLASSIFIER_PACKAGE),
    output:
        errors="results/cleaning/label_errors.tsv",
        trust="results/cleaning/trust.tsv",
        figure=in_report("results/figures/label_errors.png", "4 Experiments", result="Probable label errors"),
        record=f"{RECORD}/find_label_errors/cleaning.json",
    log:
        "logs/find_label_errors.log",
    conda:
        "../envs/cleaning.yaml"
    resources:
        **per_attempt(mem_mb=8_000, runtime=60),
    params:
        **unwatched("package"),
        experiments=PLAN.experiments,
        seed=config["splits"]["seed"],
        code=code_digest("find_label_errors"),
    message:
        "Look for labels that are probably wrong."
    script:
        "../workflow_scripts/find_label_errors.py"


rule list_unusable_images:
    input:
        boxes=collect(rules.detect_insects.output.boxes, chunk=PLAN.chunks),
        validation=rules.find_label_errors.input.validation,
        test=rules.form_prediction_sets.input.test,
        package=rules.draw_doubtful.input.package,
        crops=ancient("results/packages/cropped_256.hdf5"),
    output:
        unusable="results/cleaning/unusable_images.tsv",
        mistakes="results/cleaning/low_quality_mistakes.tsv",
        figure=in_report("results/figures/unusable_images.png", "2 Crops", result="Images of little use"),
        low_quality=in_report(
            "results/figures/low_quality_mistakes.png",
            "4 Experiments",
            result="Mistakes on low-quality images (figure A3)",
        ),
        record=f"{RECORD}/list_unusable_images/cleaning.json",
    log:
        "logs/list_unusable_images.log",
    conda:
        "../envs/data.yaml"
    resources:
        **per_attempt(mem_mb=8_000, runtime=30),
    params:
        **unwatched("crops"),
        **PAPER,
        experiments=PLAN.experiments,
        code=code_digest("list_unusable_images"),
    message:
        "List the images that are of little use, and the mistakes on them."
    script:
        "../workflow_scripts/list_unusable_images.py"


rule embed_images:
    input:
        package=ancient(CLASSIFIER_PACKAGE),
        split=ancient(SPLIT),
        digest=rules.digest_experiment.output.digest,
        selection=rules.select_trial.output.selection,
        models=files_of_experiment(rules.train_classifier.output.model),
    output:
        embeddings="results/experiments/{experiment}/embeddings.parquet",
        figure=figure_of_experiment("nearest_images", "Nearest images"),
        record=f"{RECORD}/embed_images/{{experiment}}.json",
    log:
        "logs/embed_images/{experiment}.log",
    benchmark:
        "benchmarks/embed_images/{experiment}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: test_threads
    resources:
        **per_attempt(mem_mb=64_000, runtime=240),
        gpu=1,
    params:
        **unwatched("package", "split", scratch=config["scratch"]),
        code=code_digest("embed_images"),
    message:
        "Embed the images of {wildcards.experiment}."
    script:
        "../workflow_scripts/embed_images.py"
