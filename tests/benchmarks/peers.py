"""Other packages that are measured beside atomizer, loaded where they are needed and nowhere else."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ("NotThere", "peer")


class NotThere(Exception):
    """A case cannot be measured here; the message says what is missing."""


def peer(name: str) -> Any:
    """
    Load a package that only benchmarks need.

    Raises:
        NotThere: It is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise NotThere(f"{error.name} is not installed: run `nox -s bench`") from error
