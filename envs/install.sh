#!/bin/sh
# Installs what a run needs: requirements.txt, and PyTorch by the lock for CPUs or by that for NVIDIA GPUs. Into .venv, or
# into the environment that the first argument names, with the requirements of the second.
#
# TORCH=cpu or TORCH=cuda chooses between these two. Otherwise it is the one for CPUs where no NVIDIA driver is seen and
# pip, as it is configured, finds what that lock names. TORCH_INDEX is a further index for pip: of wheels for CPUs, or of
# wheels for another CUDA, which have the versions of the lock but not its hashes.
set -eu
cd "$(dirname "$0")/.."
venv=${1:-.venv}
python=$venv/bin/python

install() {
    "$python" -m pip install --quiet --disable-pip-version-check ${TORCH_INDEX:+"--extra-index-url=$TORCH_INDEX"} "$@"
}

sees_a_driver() {
    [ -e /proc/driver/nvidia/version ] || nvidia-smi > /dev/null 2>&1
}

both_import() {
    "$python" -c 'import torch, torchvision' 2> /dev/null
}

for_cpus() {
    install --require-hashes -r envs/torch-cpu.txt &&
        { both_import || { "$python" envs/complete_torchvision.py && both_import; }; }
}

for_gpus() {
    if [ -z "${TORCH_INDEX:-}" ]; then
        install --require-hashes -r envs/torch-cuda.txt
    else
        # shellcheck disable=SC2046 # two arguments
        install $(grep -oE '^torch(vision)?==[^ ;]+' envs/torch-cuda.txt)
    fi
}

case ${TORCH:-} in '' | cpu | cuda) ;; *) echo "TORCH=$TORCH: it has to be cpu or cuda" >&2 && exit 2 ;; esac
if [ -n "${2:-}" ]; then install -r "$2"; else install --require-hashes -r envs/requirements.txt; fi
if [ "${TORCH:-}" = cpu ]; then
    why="TORCH=cpu" && for_cpus
elif [ "${TORCH:-}" = cuda ]; then
    why="TORCH=cuda" && for_gpus
elif sees_a_driver; then
    why="an NVIDIA driver is here" && for_gpus
elif for_cpus 2> /dev/null; then
    why="no NVIDIA driver is here"
else
    why="no NVIDIA driver is here, but pip finds no build for CPUs (docs/installation.md)" && for_gpus
fi

version=$("$python" -c 'import torch; print(torch.__version__)')
case $version in *+cpu) build=cpu ;; *) build=cuda ;; esac
echo "PyTorch $version: $why"
echo "$build ${TORCH_INDEX:-}" > "$venv/torch"
