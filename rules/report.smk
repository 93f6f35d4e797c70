"""The tables of the results as pages of the report; figures are marked where they are drawn.

NEEDS  results/summary/, results/statistics/, results/detector/, results/metadata/ and results/quarantine/
MAKES  results/report/, and by `snakemake --report results/report.html` one file with all of it
"""

# Each table, its part of the report, and its title there.
REPORT_TABLES = {
    "results/detector/metrics_published.tsv": ("1 Detector", "Average precision and recall (table A5)"),
    "results/detector/image_sets.tsv": ("1 Detector", "Annotated image sets"),
    **{table: ("2 Crops", "What the detector found") for table in from_originals(rules.summarise_boxes.output.summary)},
    "results/quarantine/all.tsv": ("2 Crops", "Images that could not be used"),
    "results/statistics/labels.tsv": ("3 Dataset", "Labels per rank (table 1)"),
    "results/statistics/imbalance.tsv": ("3 Dataset", "Class imbalance (table 2)"),
    "results/statistics/splits.tsv": ("3 Dataset", "Experiments and their splits (table 3)"),
    "results/splits/counts.tsv": ("3 Dataset", "Images per class and role, and the rule's counts"),
    "results/statistics/leakage.tsv": ("3 Dataset", "BINs and specimens in both train and test"),
    "results/metadata/warnings.tsv": ("3 Dataset", "Warnings on the metadata"),
    "results/metadata/reconciliation.tsv": ("3 Dataset", "Rows without image, images without row"),
    "results/summary/validation.tsv": ("4 Experiments", "Validation (tables A3 and A4)"),
    "results/summary/test.tsv": ("4 Experiments", "Test (table 5)"),
    **{table: ("4 Experiments", "Photographs against crops (table A6)") for table in COMPARISON_TABLES},
    **{table: ("4 Experiments", "Released classifiers on the test images (table 5)") for table in RELEASED_TABLES},
    "results/summary/prediction_sets.tsv": ("4 Experiments", "Prediction sets"),
    "results/summary/prediction_sets_by_class.tsv": ("4 Experiments", "Prediction sets by class"),
    "results/summary/ranks.tsv": ("4 Experiments", "Accuracy by rank, and the deepest safe rank"),
    "results/cleaning/trust.tsv": ("4 Experiments", "How far to trust the list of doubtful labels"),
}
# The captions of those whose columns need more words than the others'.
TABLE_CAPTIONS = {
    "results/summary/validation.tsv": "captions/validation.rst",
    "results/summary/test.tsv": "captions/test.rst",
    "results/summary/original_vs_cropped.tsv": "captions/original_vs_cropped_table.rst",
    "results/summary/released.tsv": "captions/released.rst",
    "results/summary/prediction_sets.tsv": "captions/prediction_sets_table.rst",
    "results/summary/prediction_sets_by_class.tsv": "captions/prediction_sets_table.rst",
    "results/summary/ranks.tsv": "captions/ranks.rst",
    "results/cleaning/trust.tsv": "captions/trust.rst",
}


rule render_tables:
    input:
        tables=list(REPORT_TABLES),
    output:
        pages=[
            report(
                f"results/report/{Path(table).parent.name}_{Path(table).stem}.html",
                category=category,
                caption=TABLE_CAPTIONS.get(table, "captions/table.rst"),
                labels={"table": title},
            )
            for table, (category, title) in REPORT_TABLES.items()
        ],
        record=f"{RECORD}/render_tables/tables.json",
    log:
        "logs/render_tables.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        titles=[title for category, title in REPORT_TABLES.values()],
        code=code_digest("render_tables"),
    message:
        "Show the tables in the report."
    script:
        "../workflow_scripts/render_tables.py"
