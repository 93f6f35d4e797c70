"""A command whose reader leaves ends without a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "workflow_scripts"
MAIN = "from bioscan1m.foundation.commands import as_command\nimport sys\n"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("[print(line) for line in range(100_000)]", 141),
        ("print('all in the buffer until the end')", 141),
        ("[sys.stderr.write('x' * 100) for _ in range(10_000)]", 141),
        ("3", 3),
        ("None", 0),
    ],
)
def test_a_pipe_that_breaks_is_no_error(body: str, status: int) -> None:
    code = f"{MAIN}as_command(lambda: {body if body.isalnum() else f'({body}, 0)[1]'})"
    command = [sys.executable, "-c", f"import time; time.sleep(0.1)\n{code}"]
    piped = subprocess.Popen(
        command, cwd=SCRIPTS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if "stderr" in body else subprocess.PIPE
    )
    piped.stdout.close()
    errors = piped.stderr.read() if piped.stderr else b""
    assert (piped.wait(), errors) == (status, b"")


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.py")))
def test_every_script_that_prints_ends_so(script: str) -> None:
    text = (SCRIPTS / script).read_text(encoding="utf-8")
    if "sys.stdout.write" in text or "def main() ->" in text:
        assert "as_command(main)" in text
