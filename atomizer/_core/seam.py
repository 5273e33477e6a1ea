"""The seam to a conductor: where errors of the libraries behind it become ours, or end whoever calls it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..cancellation import foreign_cancellation_as_broken
from ..errors import ConductorBroken, ConductorError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ("seam",)


@contextmanager
def seam(conductor: str, doing: str, kind: type[ConductorError] = ConductorBroken) -> Generator[None]:
    """
    Let nothing foreign through: what the author of a conductor should translate must not end its keeper.

    Args:
        conductor: Its name, for the error.
        doing: What is done, for the error.
        kind: What another exception becomes.

    Raises:
        ConductorError: The body raised one, or any other exception, or was cancelled and nobody had asked for that.
    """
    try:
        with foreign_cancellation_as_broken(conductor):
            yield
    except ConductorError:
        raise
    except Exception as error:
        raise kind(f"conductor {conductor!r} raised {error!r} while {doing}") from error
