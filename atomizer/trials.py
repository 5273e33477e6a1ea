"""Trials: what an electron carries of having been tried, and of what is to be done when it fails again."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from .failure import Failure

__all__ = ("FailureMode", "Trials")

Seconds = Annotated[float, Meta(ge=0.0, le=1e10)]


class FailureMode(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """What is done when an atom fails, as it travels; what an application says is in `atomizer.retry`."""

    kind: Annotated[str, Meta(max_length=32)] = "fail"
    """fail, retry (here) or requeue (elsewhere). A word of a newer node means fail."""
    attempts: Annotated[int, Meta(ge=1, le=2**31)] = 1
    """How often it is tried at most, the first time and crashes among them."""
    pause: Seconds = 0.0
    """Seconds before the second attempt."""
    growth: Annotated[float, Meta(ge=1.0, le=100.0)] = 1.0
    """By what the pause grows from attempt to attempt."""
    jitter: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    """Which part of a pause is up to chance."""
    on: Annotated[tuple[Annotated[str, Meta(max_length=256)], ...], Meta(max_length=64)] = ()
    """The exceptions that are worth another attempt, as `module.Name`; none means all."""


class Trials(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """What an electron carries besides the request. Most electrons have none."""

    mode: FailureMode | None = None
    """What its sender wants done when it fails."""
    failures: Annotated[tuple[Failure, ...], Meta(max_length=64)] = ()
    """What went wrong in the attempts before this one, the oldest first."""
    passed_on: bool = False
    """A node on which it had failed before has left it to others, once."""
    again: bool = False
    """It may have been sent before under this id: no confirm came, or its sender chose the id."""
    replayed: Annotated[int, Meta(ge=0, le=2**31)] = 0
    """How often it was taken from the dead letters and sent again."""


NONE_SO_FAR = Trials()
"""What stands for the trials of an electron that carries none."""
