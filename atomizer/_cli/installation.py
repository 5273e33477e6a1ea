"""What is installed: this distribution, its packages, and what it needs, held against its own metadata."""

from __future__ import annotations

import csv
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from ..distribution import DISTRIBUTION

__all__ = (
    "DISTRIBUTION",
    "PACKAGES",
    "Need",
    "installed",
    "lowest_python",
    "missing_files",
    "needs",
    "numbers",
    "version",
)

PACKAGES = Path(__file__).resolve().parents[2]
"""The folder that `atomizer` is imported from."""

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*(?:>=\s*([\w.]+))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w.-]+)['\"]")


class Need(NamedTuple):
    """One thing that this distribution needs, or an extra of it does."""

    name: str
    lowest: str
    """The oldest version that is allowed; empty means any."""
    extra: str
    """The extra that needs it; empty means everybody does."""
    found: str
    """The version that is installed; empty means none."""

    @property
    def is_too_old(self) -> bool:
        """Whether what is installed is older than the lower bound."""
        return bool(self.found) and numbers(self.found) < numbers(self.lowest)


def installed() -> Distribution | None:
    """Return the installed distribution, or None: these files are then run without being installed."""
    try:
        return distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return None


def version() -> str:
    """Return the version that is installed."""
    found = installed()
    return "(not installed)" if found is None else found.version


def lowest_python(found: Distribution | None) -> str:
    """Return the oldest Python that the metadata allows; empty if it does not say."""
    written = found.metadata.json if found is not None else {}
    return str(written.get("requires_python", "")).removeprefix(">=")


def missing_files(found: Distribution) -> list[str]:
    """Return the files that were installed and are gone."""
    # not by `Distribution.files`, which leaves those out from Python 3.12 on
    paths = [row[0] for row in csv.reader((found.read_text("RECORD") or "").splitlines()) if row]
    return [path for path in paths if not Path(str(found.locate_file(path))).exists()]


def needs(requirements: list[str]) -> list[Need]:
    """Read requirements as metadata has them. Of their markers only the extra is looked at."""
    return [_need(*requirement.partition(";")[::2]) for requirement in requirements]


def _need(requirement: str, marker: str) -> Need:
    written = _REQUIREMENT.match(requirement.strip())
    name, lowest = (written[1], written[2] or "") if written else (requirement, "")
    extra = _EXTRA.search(marker)
    return Need(name, lowest, extra[1] if extra else "", _version_of(name))


def _version_of(name: str) -> str:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return ""


def numbers(version: str) -> list[int]:
    """Return the release numbers of a version without the zeros at their end: 10.0 and 10.0.0rc1 are both [10]."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    found = [int(number) for number in release[0].split(".")] if release else []
    while found and found[-1] == 0:
        found.pop()
    return found
