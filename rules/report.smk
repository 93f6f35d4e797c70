"""The tables of the results as pages of the report; figures are marked where they are drawn.

NEEDS  results/summary/, results/statistics/, results/detector/, results/metadata/ and results/quarantine/
MAKES  results/report/, and by `snakemake --report results/report.html` one file with all of it
"""

# Each table, its part of the report, its title there and its caption.
REPORT_TABLES = {
    "results/detector/metrics_published.tsv": (
        DETECTOR_PART,
        "Average precision and recall (table A5)",
        "metrics",
    ),
    "results/detector/image_sets.tsv": (
        DETECTOR_PART,
        "Annotated image sets",
        "image_sets",
    ),
    **{
        table: (CROPS_PART, "What the detector found", "boxes_table")
        for table in from_originals(rules.summarise_boxes.output.summary)
    },
    "results/quarantine/all.tsv": (
        CROPS_PART,
        "Images that could not be used",
        "quarantine",
    ),
    "results/statistics/labels.tsv": (
        DATASET_PART,
        "Labels per rank (table 1)",
        "labels",
    ),
    "results/statistics/imbalance.tsv": (
        DATASET_PART,
        "Class imbalance (table 2)",
        "imbalance",
    ),
    "results/statistics/splits.tsv": (
        DATASET_PART,
        "Experiments and their splits (table 3)",
        "splits",
    ),
    "results/splits/counts.tsv": (
        DATASET_PART,
        "Images per class and role, and the rule's counts",
        "split_counts",
    ),
    "results/splits/shortfalls.tsv": (
        DATASET_PART,
        "What the split rule could not give",
        "shortfalls",
    ),
    "results/statistics/class_distribution.tsv": (
        DATASET_PART,
        "Images per class (figure 2), as a table",
        "class_distribution_table",
    ),
    "results/statistics/leakage.tsv": (
        DATASET_PART,
        "BINs and specimens in both train and test",
        "leakage",
    ),
    "results/metadata/warnings.tsv": (
        DATASET_PART,
        "Warnings on the metadata",
        "warnings",
    ),
    "results/metadata/reconciliation.tsv": (
        DATASET_PART,
        "Rows without image, images without row",
        "reconciliation",
    ),
    "results/metadata/chunks.tsv": (
        DATASET_PART,
        "Rows and images of each chunk",
        "chunks",
    ),
    "results/summary/prediction_sets.tsv": (
        EXPERIMENTS_PART,
        "Prediction sets",
        "prediction_sets_table",
    ),
    "results/summary/prediction_sets_by_class.tsv": (
        EXPERIMENTS_PART,
        "Prediction sets by class",
        "prediction_sets_table",
    ),
    "results/summary/ranks.tsv": (
        EXPERIMENTS_PART,
        "Accuracy by rank, and the deepest safe rank",
        "ranks",
    ),
    "results/cleaning/trust.tsv": (
        EXPERIMENTS_PART,
        "How far to trust the list of doubtful labels",
        "trust",
    ),
}
# Those of the target experiments, whose report has them without what else a run makes.
EXPERIMENT_TABLES = {
    "results/summary/validation.tsv": (
        EXPERIMENTS_PART,
        "Validation (tables A3 and A4)",
        "validation",
    ),
    "results/summary/test.tsv": (EXPERIMENTS_PART, "Test (table 5)", "test"),
    "results/summary/misclassified.tsv": (
        EXPERIMENTS_PART,
        "Mistakes, and those for the dominant class (figures A3, A4)",
        "misclassified_table",
    ),
    **{
        table: (
            EXPERIMENTS_PART,
            "Photographs against crops (table A6)",
            "original_vs_cropped_table",
        )
        for table in COMPARISON_TABLES
    },
    **{
        table: (
            EXPERIMENTS_PART,
            "Released classifiers on the test images (table 5)",
            "released",
        )
        for table in RELEASED_TABLES
    },
}
# The parts whose results are grouped: the group of those that concern all of them, which comes first.
GROUPS = {DETECTOR_PART: ALL_DETECTORS, EXPERIMENTS_PART: ALL_EXPERIMENTS}
PAGES = {
    table: report(
        f"results/report/{Path(table).parent.name}_{Path(table).stem}.html",
        category=part,
        subcategory=GROUPS.get(part),
        caption=f"captions/{caption}.rst",
        labels={"result": title},
    )
    for table, (part, title, caption) in {**REPORT_TABLES, **EXPERIMENT_TABLES}.items()
}


rule render_tables:
    input:
        tables=list(REPORT_TABLES),
    output:
        pages=[PAGES[table] for table in REPORT_TABLES],
        record=f"{RECORD}/render_tables/tables.json",
    log:
        "logs/render_tables.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        titles=[title for _, title, _ in REPORT_TABLES.values()],
        code=code_digest("render_tables"),
    message:
        "Show the tables in the report."
    script:
        "../workflow_scripts/render_tables.py"


use rule render_tables as render_experiments with:
    input:
        tables=list(EXPERIMENT_TABLES),
    output:
        pages=[PAGES[table] for table in EXPERIMENT_TABLES],
        record=f"{RECORD}/render_experiments/tables.json",
    log:
        "logs/render_experiments.log",
    localrule: True  # not taken over from render_tables
    params:
        titles=[title for _, title, _ in EXPERIMENT_TABLES.values()],
    message:
        "Show the tables of the experiments in the report."
