"""Make a torchvision that is built for CUDA importable beside PyTorch for CPUs; run by the Python that has both.

Its compiled operators cannot be loaded there. Its networks and transforms need none of them, but its import fails,
because it adds to the declarations of two operators that are declared only by the compiled part. So they are declared
here, without code: to call one is an error. Nothing changes where the compiled part can be loaded.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

DECLARATIONS = """

if not _has_ops():  # added by envs/complete_torchvision.py
    for _name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{_name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""

module = Path(find_spec("torchvision").submodule_search_locations[0], "extension.py")
text = module.read_text()
if DECLARATIONS not in text:
    aside = module.with_suffix(".new")  # an installer may share the old file with other environments
    aside.write_text(text + DECLARATIONS)
    aside.replace(module)
