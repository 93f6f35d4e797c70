"""Jobs of tests without the start of Python: each forks from a process that has imported the large packages.

`python warm_jobs.py SOCKET` is that process, until its standard input ends. `python -IS warm_jobs.py SOCKET SCRIPT`
stands in the place of `python SCRIPT`. Which packages a script imports is seen in tests/unit/test_imports.py; jobs
start as ever in the demo, on SLURM, and in the runs that are killed or compared (`make test-slow`).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from pathlib import Path

# What scripts import of other packages, the detector and the classifiers of small runs among it.
FAMILIES = ("detr.modeling_detr", "resnet.modeling_resnet", "vit.modeling_vit")
PRELOADED = (
    *("h5py", "matplotlib.backends.backend_agg", "matplotlib.figure", "numpy", "pandas", "pyarrow.parquet"),
    *("PIL.Image", "pycocotools.cocoeval", "rocrate.rocrate", "safetensors.torch", "scipy.stats", "snakemake.script"),
    *("torch", "yaml", *(f"transformers.models.{family}" for family in FAMILIES)),
)
LONGEST_REQUEST = 1 << 20  # bytes


def ask(address: str, script: str) -> int:
    """Have a script run with this process's folder, environment, input and output; its exit status."""
    request = json.dumps({"script": script, "folder": str(Path.cwd()), "environment": dict(os.environ)}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [len(request).to_bytes(8, "big")], [0, 1, 2])
        connection.sendall(request)
        return int(connection.recv(16) or 1)


def serve(address: str) -> None:
    """Import what is large, then fork for each request."""
    import gc
    import importlib
    import selectors

    sys.path.pop(0)  # the folder of this file
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as selector:
        server.bind(address)
        server.listen(64)
        print("ready", flush=True)
        selector.register(server, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while all(key.fileobj is server for key, _ in selector.select()):
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _answer(connection)
                os._exit(0)
            connection.close()
            _forget_those_that_ended()


def _forget_those_that_ended() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _answer(connection: socket.socket) -> None:
    """Run the script of a request in a fork, and send its exit status."""
    size, files, _, _ = socket.recv_fds(connection, 8, 3)
    data = b""
    while len(data) < int.from_bytes(size, "big"):
        data += connection.recv(LONGEST_REQUEST)
    if (job := os.fork()) == 0:
        connection.close()
        _run(json.loads(data), files)
    _, status = os.waitpid(job, 0)
    code = os.waitstatus_to_exitcode(status)
    connection.sendall(str(code if code >= 0 else 128 - code).encode())


def _run(request: dict, files: list[int]) -> None:
    """Be the process of a script, and end."""
    import runpy

    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["script"]]
    sys.path.insert(0, str(Path(request["script"]).parent))
    code: object = None
    try:
        runpy.run_path(request["script"], run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    _end(code)


def _end(code: object) -> None:
    """As Python ends: its threads, what is to be called at the end, and what is still to be written."""
    import atexit
    import threading

    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    else:
        sys.exit(ask(*sys.argv[1:]))
