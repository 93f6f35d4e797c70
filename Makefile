# Two commands: `make demo` runs everything on synthetic specimens, `make test` runs the tests. Both set up .venv.

PYTHON ?= python3
BIN := .venv/bin
DEMO := runs/demo
SNAKEMAKE := $(BIN)/snakemake --snakefile Snakefile --directory $(DEMO) --profile profiles/demo

.PHONY: demo test bench lint format lock clean-demo

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
	$(SNAKEMAKE) all audit --report results/report.html

test: $(BIN)/ready lint
	$(BIN)/pytest

# Ratios from one run, with the machine's description, in results/bench/. BIOSCAN_REAL_DATA may name real photographs.
bench: $(BIN)/ready
	PYTHONPATH=tests:workflow_scripts $(BIN)/python -m benchmark

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
