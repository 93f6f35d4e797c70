#!/bin/sh
# Runs the unit tests with the lowest versions that pyproject.toml allows, of what development needs too, in a new
# environment that is removed afterwards. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
uv=$PWD/.venv/bin/uv

.venv/bin/python -m venv "$folder"
"$uv" pip compile --quiet --python "$folder/bin/python" --extra dev --resolution lowest-direct --no-annotate \
    --output-file "$folder/with-torch.txt" pyproject.toml > /dev/null
# PyTorch is left to install.sh: pip finds it in more places.
grep -vE '^(torch|torchvision|triton|nvidia-.*|cuda-.*)==' "$folder/with-torch.txt" > "$folder/lowest.txt"
"$uv" pip install --quiet --python "$folder/bin/python" -r "$folder/lowest.txt"
envs/install.sh "$folder" "$folder/lowest.txt"
"$folder/bin/pytest" tests/unit --dist loadfile --numprocesses auto --maxprocesses 4 "$@"
