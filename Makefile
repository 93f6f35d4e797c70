# Two commands: `make demo` runs everything on synthetic specimens, `make test` runs the tests. Both set up .venv.

PYTHON ?= python3
BIN := .venv/bin
DEMO := runs/demo
SNAKEMAKE := $(BIN)/snakemake --snakefile Snakefile --directory $(DEMO) --profile profiles/demo

.PHONY: demo predict trace test test-slow bench bench-gpu docs lint format lock clean-demo

demo: $(BIN)/ready
	@mkdir -p $(DEMO)
	@cmp -s tests/demo/config.yaml $(DEMO)/config.yaml || cp tests/demo/config.yaml $(DEMO)/config.yaml
	$(BIN)/python workflow_scripts/make_demo_data.py --out $(DEMO)
	$(SNAKEMAKE) all
	$(SNAKEMAKE) audit
	$(MAKE) --no-print-directory $(DEMO)/results/report.html
	@cat $(DEMO)/results/summary/headline.txt
	@echo "The report: $(abspath $(DEMO)/results/report.html)"

$(DEMO)/results/report.html: $(DEMO)/results/provenance/audit.json
	$(SNAKEMAKE) all audit --report results/report.html --report-stylesheet "$(abspath rules/captions/report.css)"

# Your own photographs, by the detector and the classifiers of a finished run: make predict IMAGES=FOLDER [RUN=runs/mine]
RUN ?= $(DEMO)
PHOTOGRAPHS = $(shell basename "$(IMAGES)" .zip | tr -c 'A-Za-z0-9_\n-' _)
# Only these, so that a run which other code made is used as it is, and nothing is trained again.
PREDICTING := predict fetch_photographs detect_on_photographs crop_photographs resize_photographs pack_photographs \
    predict_photographs

predict: $(BIN)/ready
	@test -e "$(IMAGES)" || { echo "make predict IMAGES=FOLDER: no folder or zip '$(IMAGES)'"; exit 1; }
	$(BIN)/snakemake --snakefile Snakefile --directory $(RUN) --profile profiles/demo predict \
	    --config "inference={photographs: {\"$(PHOTOGRAPHS)\": \"$$(realpath "$(IMAGES)")\"}}" --allowed-rules $(PREDICTING)
	@echo "The table: $(abspath $(RUN))/results/predictions/$(PHOTOGRAPHS)/predictions.tsv; predictions.png is beside it"

# Where does one image come from, and where did it go? `make trace IMAGE=BIOUG73200-A01.jpg`, of the demo or of RUN.
trace: $(BIN)/ready
	@$(BIN)/python workflow_scripts/trace_image.py "$(IMAGE)" --run "$(RUN)"

# The tests of a file share what they set up, so they stay in one process.
PYTEST := $(BIN)/pytest --dist loadfile --numprocesses auto --maxprocesses 4

test: $(BIN)/ready lint
	$(PYTEST)

# What takes minutes each. Those on a real SLURM run where Debian's slurm-wlm and munge are installed and the user is
# root, those on its limits where slurmdbd and mariadb-server are as well; elsewhere they are skipped, saying so. They
# wait for most of their time, so that the others run beside them.
test-slow: $(BIN)/ready
	$(BIN)/pytest -m slow tests/slurm & on_slurm=$$!; trap "kill $$on_slurm" INT TERM; \
	$(PYTEST) -m slow --ignore tests/slurm; others=$$?; \
	wait $$on_slurm && exit $$others

# Ratios from one run, with the machine's description, in results/bench/. BIOSCAN_REAL_DATA may name real photographs.
bench: $(BIN)/ready
	PYTHONPATH=tests:workflow_scripts $(BIN)/python -m benchmark

# The stages that a GPU computes; on a machine without .venv with its own Python, if that has PyTorch and transformers.
bench-gpu:
	PYTHONPATH=tests:workflow_scripts $(if $(wildcard $(BIN)/ready),$(BIN)/python,$(PYTHON)) -m benchmark --gpu

# The table of the config's keys in the README, from their schema.
docs: $(BIN)/ready
	$(BIN)/python workflow_scripts/write_configuration_table.py rules/schemas/config.schema.yaml config.yaml README.md

lint: $(BIN)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

format: $(BIN)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

# The environment is rebuilt when the lock changes; `ready` is written last.
$(BIN)/ready: envs/requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11 to 3.13 is needed")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements.txt
	@touch $@

# One set of exact versions for Python 3.11 to 3.13 from the ranges in pyproject.toml; needs uv.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	    --no-annotate --custom-compile-command "make lock" --output-file envs/requirements.txt

clean-demo:
	rm -rf $(DEMO)
