"""Where does this image come from, and where did it go?

    python workflow_scripts/trace_image.py BIOUG73200-A01.jpg --run runs/demo --picture trace.png

prints its zip and checksum, its box and detector, its crop, its bytes in each package, its row, its roles and why, the
models that were trained on it, the predictions of the tested ones, and which of these files were made by earlier code
that somebody accepted. It runs nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bioscan1m.audit.trace import trace_image
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.errors import InputError


def as_text(trace: dict[str, Any]) -> str:
    """The trace as lines of `what: value`, one block for each step."""
    lines = [f"{trace['image_file']}, chunk {trace['chunk'] or 'unknown'}"]
    for step, found in trace.items():
        if isinstance(found, dict | list) and found:
            lines += ["", step.replace("_", " ")]
            lines += [f"  {line}" for part in (found if isinstance(found, list) else [found]) for line in _lines(part)]
    return "\n".join(lines) + "\n"


def _lines(part: dict[str, Any]) -> list[str]:
    """Each value on a separate line where there are many; else all on one."""
    texts = {key: _text(value) for key, value in part.items() if value is not None}
    if len(texts) > 6:
        width = max(map(len, texts))
        return [f"{key.replace('_', ' '):{width}}  {text}" for key, text in texts.items()]
    return ["  ".join(f"{key.replace('_', ' ')}: {text}" for key, text in texts.items())]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", help="an image_file, such as BIOUG73200-A01.jpg")
    parser.add_argument("--run", type=Path, default=Path(), help="the working directory of a run (.)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--picture", type=Path, help="write a strip of pictures to this PNG file")
    given = parser.parse_args()
    try:
        trace = trace_image(given.run, given.image)
        if given.picture:
            from bioscan1m.audit.trace_picture import draw_trace

            draw_trace(given.run, trace, given.picture)
    except (InputError, OSError) as error:
        sys.stderr.write(f"trace_image: {error}\n")
        return 1
    sys.stdout.write(json.dumps(trace, indent=2, ensure_ascii=False) + "\n" if given.json else as_text(trace))
    return 0


if __name__ == "__main__":
    as_command(main)
