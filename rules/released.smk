"""The classifiers that the authors released, tested on the same images as ours, if the config names their checkpoints.

NEEDS  the files that classifier.checkpoints names, results/packages/ and results/splits/
MAKES  results/released/{experiment}/{checkpoint}/ and results/summary/released.tsv
"""

RELEASED = "results/released/{experiment}/{checkpoint}"


use rule fetch_checkpoint as fetch_released with:
    input:
        lambda wildcards: local_source(PLAN.released_source(wildcards.checkpoint)),
    output:
        file="data/checkpoints/classifiers/{checkpoint}.tar",
        record=f"{RECORD}/fetch_released/{{checkpoint}}.json",
    log:
        "logs/fetch_released/{checkpoint}.log",
    localrule: True  # not taken over from fetch_checkpoint
    params:
        source=lambda wildcards: PLAN.released_source(wildcards.checkpoint),
    message:
        "Fetch the released classifier {wildcards.checkpoint}."


rule import_classifier:
    input:
        checkpoint=rules.fetch_released.output.file,
        split=ancient(SPLIT),
        digest=rules.digest_experiment.output.digest,
    output:
        model=f"{RELEASED}/model.safetensors",
        record=f"{RECORD}/import_classifier/{{experiment}}/{{checkpoint}}.json",
    log:
        "logs/import_classifier/{experiment}/{checkpoint}.log",
    conda:
        "../envs/torch.yaml"
    resources:
        **per_attempt(mem_mb=8_000, runtime=20),
    params:
        **unwatched("split"),
        trial=lambda wildcards: PLAN.released_settings(wildcards.checkpoint),
        code=code_digest("import_classifier"),
    message:
        "Import the released classifier {wildcards.checkpoint} of {wildcards.experiment}."
    script:
        "../workflow_scripts/import_classifier.py"


use rule test_classifier as test_released with:
    input:
        package=ancient(CLASSIFIER_PACKAGE),
        split=ancient(SPLIT),
        digest=rules.digest_experiment.output.digest,
        models=[rules.import_classifier.output.model],
    output:
        test=f"{RELEASED}/test.json",
        predictions=f"{RELEASED}/predictions.parquet",
        validation_predictions=f"{RELEASED}/validation_predictions.parquet",
        record=f"{RECORD}/test_released/{{experiment}}/{{checkpoint}}.json",
    log:
        "logs/test_released/{experiment}/{checkpoint}.log",
    benchmark:
        "benchmarks/test_released/{experiment}/{checkpoint}.jsonl"
    message:
        "Test the released classifier {wildcards.checkpoint} on {wildcards.experiment}."


rule tabulate_released:
    input:
        tests=each(rules.test_released.output.test, PLAN.released),
    output:
        table="results/summary/released.tsv",
        record=f"{RECORD}/tabulate_released/summary.json",
    log:
        "logs/tabulate_released.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        **PAPER,
        checkpoints=[released["checkpoint"] for released in PLAN.released],
        code=code_digest("tabulate_released"),
    message:
        "Tabulate the released classifiers beside the paper's figures."
    script:
        "../workflow_scripts/tabulate_released.py"
