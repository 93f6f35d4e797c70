# Two commands: `make demo` runs everything on synthetic specimens, `make test` runs the tests. Both set up .venv.
# TORCH=cpu or TORCH=cuda chooses its PyTorch, TORCH_INDEX names a further index that has it (docs/installation.md).

PYTHON ?= python3
BIN := .venv/bin
RUN_READY := .venv/ready
DEV_READY := .venv/ready-dev
DEMO := runs/demo
SNAKEMAKE := $(BIN)/snakemake --snakefile Snakefile --directory $(DEMO) --profile profiles/demo
# What takes longest comes first, with all that it waits for; the jobs on a chunk or a table, which would take all of a
# few cores for a second's work, take one core each and run beside it.
SIDE_BY_SIDE := --max-threads 1 --prioritize results/experiments/large_insect_order/test.json

# Each job starts Python: without compiled modules it would compile the library anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo predict preflight trace repair test test-slow bench bench-gpu docs lint format lock test-lowest clean-demo

demo: $(RUN_READY)
	$(BIN)/python workflow_scripts/make_demo_data.py --out $(DEMO) --config tests/demo/config.yaml
	$(SNAKEMAKE) all $(SIDE_BY_SIDE)
	$(SNAKEMAKE) audit
	$(MAKE) --no-print-directory $(DEMO)/results/report.html
	@cat $(DEMO)/results/summary/headline.txt
	@echo "The report: $(abspath $(DEMO)/results/report.html)"

$(DEMO)/results/report.html: $(DEMO)/results/provenance/audit.json
	$(SNAKEMAKE) all audit --report results/report.html --report-stylesheet "$(abspath rules/captions/report.css)"

# Your own photographs, by the detector and the classifiers of a finished run: make predict IMAGES=FOLDER [RUN=runs/mine]
RUN ?= $(DEMO)
RUN_FOLDER = $(RUN:~%=$(HOME)%)# not every shell puts the home folder in the place of ~ there
IMAGES ?=
export IMAGES
# Only these, so that a run which other code made is used as it is, and nothing is trained again.
PREDICTING := predict fetch_photographs detect_on_photographs crop_photographs resize_photographs pack_photographs \
    embed_images predict_photographs show_predictions join_predictions

predict: $(RUN_READY)
	@photographs=$$($(BIN)/python workflow_scripts/name_photographs.py "$$IMAGES") || exit 1; \
	name=$${photographs#*\"}; name=$${name%%\"*}; run="$(RUN_FOLDER)"; \
	$(BIN)/snakemake --snakefile Snakefile --directory "$$run" --profile profiles/demo predict \
	    --config "inference={photographs: $$photographs}" --allowed-rules $(PREDICTING) && \
	echo "The table: $$run/results/predictions/$$name/predictions.tsv; predictions.html beside it is the page to look at"

# What a run needs of this machine, checked: make preflight RUN=FOLDER (docs/cluster.md has the command for a node).
preflight: $(RUN_READY)
	@$(BIN)/python workflow_scripts/preflight.py "$(RUN_FOLDER)"

# Where does one image come from, and where did it go? `make trace IMAGE=BIOUG73200-A01.jpg`, of the demo or of RUN.
trace: $(RUN_READY)
	@$(BIN)/python workflow_scripts/trace_image.py "$(IMAGE)" --run "$(RUN_FOLDER)"

# Makes again what the audit finds missing, changed or damaged, of the demo or of RUN: make repair RUN=runs/mine
repair: $(RUN_READY)
	@$(BIN)/python workflow_scripts/repair_run.py "$(RUN_FOLDER)"

# The tests of a file share what they set up, so they stay in one process; the files that take longest come first.
PYTEST := $(BIN)/pytest --dist loadfile --no-loadscope-reorder --numprocesses auto --maxprocesses 4

test: $(DEV_READY) lint
	$(PYTEST)

# What takes minutes each. Those on a real SLURM run where Debian's slurm-wlm and munge are installed and the user is
# root, those on its limits where slurmdbd and mariadb-server are as well; elsewhere they are skipped, saying so. They
# wait for most of their time, so that the others run beside them.
test-slow: $(DEV_READY)
	$(BIN)/pytest -m slow tests/slurm & on_slurm=$$!; trap "kill $$on_slurm" INT TERM; \
	$(PYTEST) -m slow --ignore tests/slurm; others=$$?; \
	wait $$on_slurm && exit $$others

# Ratios from one run, with the machine's description, in results/bench/. BIOSCAN_REAL_DATA may name real photographs.
bench: $(DEV_READY)
	PYTHONPATH=tests:workflow_scripts $(BIN)/python -m benchmark

# The stages that a GPU computes; on a machine without .venv with its own Python, if that has PyTorch and transformers.
bench-gpu:
	PYTHONPATH=tests:workflow_scripts $(if $(wildcard $(RUN_READY)),$(BIN)/python,$(PYTHON)) -m benchmark --gpu

# The table of the config's keys in docs/configuration.md, from their schema.
docs: $(DEV_READY)
	$(BIN)/python workflow_scripts/write_configuration_table.py rules/schemas/config.schema.yaml config.yaml \
	    docs/configuration.md

lint: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

format: $(DEV_READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

# The unit tests with the lowest versions that pyproject.toml allows, in an environment of their own.
test-lowest: $(DEV_READY)
	envs/test_lowest.sh

# The environment follows the locks, first what a run needs, then what development adds; the marker is written last.
export TORCH TORCH_INDEX
$(RUN_READY): envs/requirements.txt envs/torch-cpu.txt envs/torch-cuda.txt
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11 to 3.13 is needed")'
	$(PYTHON) -m venv $(if $(OTHER_TORCH),--clear) .venv
	envs/install.sh
	@touch $@

$(DEV_READY): $(RUN_READY) envs/requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements-dev.txt
	@touch $@

# Not empty where another PyTorch is asked for than .venv has.
OTHER_TORCH := $(filter-out $(shell cat .venv/torch 2> /dev/null),$(TORCH) $(TORCH_INDEX))
ifneq ($(OTHER_TORCH),)
.PHONY: $(RUN_READY)
endif

# Exact versions for Python 3.11 to 3.13 from the ranges in pyproject.toml, by uv: that of .venv, or another on the path.
lock:
	PATH="$(abspath $(BIN)):$$PATH" $(PYTHON) envs/write_locks.py $(UPGRADE)

clean-demo:
	rm -rf $(DEMO)
