"""Options of one call: given at the call, on the atom, or as a runtime's default."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from msgspec import Struct, structs

from .retry import Fail, Requeue, Retry, stricter

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("OptionFields", "Options", "options_among")

_LONGEST = 1e9  # seconds, thirty years: beyond it clocks and timers overflow
_LONGEST_ID = 256


class Options(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    How an electron is to be treated. None means "not said here".

    The call counts more than the atom, the atom more than the runtime; of two limits of a kind the smaller counts, and
    so does the smaller number of attempts.

    Raises:
        ValueError: A value is outside its range, or a soft limit is not below the limit it comes with.
        TypeError: Seconds are no number.
    """

    timeout: float | None = None
    """Seconds for the electron's whole life; `math.inf` means no end, against a default."""
    limit: float | None = None
    """Seconds that one attempt may run."""
    soft_limit: float | None = None
    """Seconds after which the atom is told that its limit comes near; of use below `limit` alone."""
    retry: Fail | Retry | Requeue | None = None
    """What is done when it fails: nothing more, another attempt here, or one elsewhere."""
    copy_state: bool | None = None
    """Whether the atom's registered state is copied for this electron (false: a fresh instance)."""
    priority: Literal[-1, 0, 1] | None = None
    """Before (1) or after (-1) the others of its route."""
    delay: float | None = None
    """Seconds until it may be delivered."""
    key: str | None = None
    """Electrons of one key go to one node, one after another, in order."""
    node: str | None = None
    """The node that is to run it."""
    conductor: str | None = None
    """The name of the conductor to send it by."""
    detached: bool | None = None
    """A child that outlives its parent: only the trace is inherited."""
    reply: bool | None = None
    """False: nobody waits for the outcome. A child without one is cancelled at its parent's end, unless detached."""
    id: str | None = None
    """An electron id of your own: the same id is the same request."""

    def __post_init__(self) -> None:
        for name in ("timeout", "limit", "soft_limit", "delay"):
            _check_seconds(name, getattr(self, name))
        if self.delay == inf:
            raise ValueError("Options.delay is in seconds and ends: what is never delivered need not be sent")
        if self.priority not in (None, -1, 0, 1):
            raise ValueError(f"Options.priority is -1, 0 or 1, not {self.priority!r}")
        _check_mode(self.retry)
        if not _is_reached(self.soft_limit, self.limit):
            raise ValueError(
                f"Options.soft_limit is below Options.limit, which ends the attempt: {self.soft_limit!r} s is never "
                f"reached with limit={self.limit!r}"
            )
        if self.key is not None and len(self.key) > _LONGEST_ID:
            raise ValueError(f"Options.key has at most {_LONGEST_ID} characters, not {len(self.key)}")
        if self.id is not None and not 1 <= len(self.id) <= _LONGEST_ID:
            raise ValueError(f"Options.id has 1 to {_LONGEST_ID} characters, not {len(self.id)}")

    def over(self, other: Options) -> Options:
        """Lay these options over others: what is said here counts, but of two limits of a kind the smaller wins."""
        if self is NOTHING_SAID:
            return other
        if other is NOTHING_SAID:
            return self
        merged = {name: mine if (mine := getattr(self, name)) is not None else getattr(other, name) for name in _NAMES}
        for name in ("limit", "soft_limit"):
            limits = [seconds for options in (self, other) if (seconds := getattr(options, name)) is not None]
            merged[name] = min(limits, default=None)
        if not _is_reached(merged["soft_limit"], merged["limit"]):
            merged["soft_limit"] = None  # each said one of them
        merged["retry"] = stricter(self.retry, other.retry)
        return Options(**merged)


def _is_reached(soft_limit: float | None, limit: float | None) -> bool:
    """Whether a soft limit comes before the limit; what does not limit at all is no mistake."""
    return soft_limit is None or limit is None or soft_limit < limit or soft_limit == inf


def _check_mode(mode: object) -> None:
    if mode is not None and not isinstance(mode, Fail | Retry | Requeue):
        raise TypeError(f"Options.retry is Fail(), Retry(…) or Requeue(…), not {mode!r}")


def _check_seconds(name: str, seconds: object) -> None:
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"Options.{name} is a number of seconds, not {seconds!r}")
    if not seconds >= 0:
        raise ValueError(f"Options.{name} is in seconds and cannot be {seconds!r}")
    if _LONGEST < seconds < inf:
        raise ValueError(f"Options.{name} is at most {_LONGEST:,.0f} seconds, not {seconds!r}: no end is math.inf")


class OptionFields(TypedDict, total=False):
    """The fields of `Options` as keywords: what `.options(…)` takes."""

    timeout: float | None
    limit: float | None
    soft_limit: float | None
    retry: Fail | Retry | Requeue | None
    copy_state: bool | None
    priority: Literal[-1, 0, 1] | None
    delay: float | None
    key: str | None
    node: str | None
    conductor: str | None
    detached: bool | None
    reply: bool | None
    id: str | None


def options_among(arguments: Mapping[str, Any]) -> str:
    """Write those of some arguments by name that are fields of `Options`, as they are said: `limit=2.0`."""
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items() if name in _NAMES)


_NAMES = tuple(field.name for field in structs.fields(Options))
NOTHING_SAID = Options()
"""The one object that most atoms and runtimes share."""
