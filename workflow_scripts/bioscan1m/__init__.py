"""The library that the workflow's scripts share. It knows nothing of Snakemake: paths and values in, files out."""
