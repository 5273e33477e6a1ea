"""The distribution that atomizer is installed as."""

from __future__ import annotations

import os
import sys
from functools import cache

__all__ = ("DISTRIBUTION", "installed_version")

DISTRIBUTION = "atomizer-engine"
"""Its name in package indexes."""


@cache
def installed_version() -> str:
    """
    Return the version that is installed, or nothing where these files are run without being installed.

    Installers write it into the name of a folder, and that is read here: `importlib.metadata` takes a tenth of a second
    to import, in which a node that is asked for its version would stand still.

    Source: PyPA, Recording installed projects.
    """
    prefix, suffix = f"{DISTRIBUTION.replace('-', '_')}-", ".dist-info"
    for folder in sys.path:
        for name in _names_in(folder or "."):
            if name.startswith(prefix) and name.endswith(suffix):
                return name.removeprefix(prefix).removesuffix(suffix)
    return ""


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  # names are all that is needed
    except OSError:
        return []
