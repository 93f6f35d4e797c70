"""Do crops help? The same classifier trained and tested on photographs and on their crops (A7.3.3), if the config says so.

NEEDS  results/packages/, results/splits/ and data/weights/
MAKES  results/original_vs_cropped/, results/summary/original_vs_cropped.tsv and its figure
"""

COMPARED = "results/original_vs_cropped/{experiment}/{package}"


use rule digest_experiment as digest_for_comparison with:
    input:
        split=SPLIT,
        package="results/packages/{package}.hdf5",
    output:
        digest=f"{COMPARED}/data.digest.json",
        record=f"{RECORD}/digest_for_comparison/{{experiment}}/{{package}}.json",
    log:
        "logs/digest_for_comparison/{experiment}/{package}.log",
    message:
        "Digest the images and roles of {wildcards.experiment} in {wildcards.package}."


use rule measure_channels as measure_for_comparison with:
    input:
        package=ancient("results/packages/{package}.hdf5"),
        split=ancient(SPLIT),
        digest=rules.digest_for_comparison.output.digest,
    output:
        channels=f"{COMPARED}/channels.json",
        record=f"{RECORD}/measure_for_comparison/{{experiment}}/{{package}}.json",
    log:
        "logs/measure_for_comparison/{experiment}/{package}.log",
    message:
        "Measure the channels of {wildcards.package} for {wildcards.experiment}."


use rule train_classifier as train_for_comparison with:
    input:
        package=ancient("results/packages/{package}.hdf5"),
        split=ancient(SPLIT),
        digest=rules.digest_for_comparison.output.digest,
        weights=ancient(pretrained("config.json", "model.safetensors")),
        weights_digest=pretrained("digest.json"),
        channels=channels(rules.measure_for_comparison.output.channels),
    output:
        model=f"{COMPARED}/model.safetensors",
        history=f"{COMPARED}/history.tsv",
        speed=f"{COMPARED}/speed.tsv",
        validation=f"{COMPARED}/validation.json",
        record=f"{RECORD}/train_for_comparison/{{experiment}}/{{package}}.json",
    log:
        "logs/train_for_comparison/{experiment}/{package}.log",
    benchmark:
        "benchmarks/train_for_comparison/{experiment}/{package}.jsonl"
    message:
        "Train on {wildcards.package} for {wildcards.experiment}."


use rule test_classifier as test_for_comparison with:
    input:
        package=ancient("results/packages/{package}.hdf5"),
        split=ancient(SPLIT),
        digest=rules.digest_for_comparison.output.digest,
        models=[rules.train_for_comparison.output.model],
    output:
        test=f"{COMPARED}/test.json",
        predictions=f"{COMPARED}/predictions.parquet",
        validation_predictions=f"{COMPARED}/validation_predictions.parquet",
        record=f"{RECORD}/test_for_comparison/{{experiment}}/{{package}}.json",
    log:
        "logs/test_for_comparison/{experiment}/{package}.log",
    benchmark:
        "benchmarks/test_for_comparison/{experiment}/{package}.jsonl"
    message:
        "Test what was trained on {wildcards.package} for {wildcards.experiment}."


rule compare_packages:
    input:
        tests=each(rules.test_for_comparison.output.test, PLAN.comparisons),
        histories=each(rules.train_for_comparison.output.history, PLAN.comparisons),
        validations=each(rules.train_for_comparison.output.validation, PLAN.comparisons),
    output:
        table="results/summary/original_vs_cropped.tsv",
        figure=in_report(
            "results/figures/original_vs_cropped.png", "4 Experiments", result="Photographs against crops (figure A11)"
        ),
        record=f"{RECORD}/compare_packages/summary.json",
    log:
        "logs/compare_packages.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        **PAPER,
        packages=[compared["package"] for compared in PLAN.comparisons],
        code=code_digest("compare_packages"),
    message:
        "Set classifiers of photographs against classifiers of crops."
    script:
        "../workflow_scripts/compare_packages.py"
