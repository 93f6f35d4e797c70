"""Licences as the descriptions of the dataset and of the run name them."""

from __future__ import annotations

import re


def licence_url(licence: str) -> str:
    """The address of a Creative Commons licence that is named by its code, such as CC BY-NC-SA 4.0; else the name."""
    if re.search(r"\bCC0\b", licence):
        return "https://creativecommons.org/publicdomain/zero/1.0/"
    named = re.search(r"\bCC[ -](BY(?:-NC)?(?:-SA|-ND)?)[ -](\d\.\d)", licence)
    return f"https://creativecommons.org/licenses/{named[1].lower()}/{named[2]}/" if named else licence
