"""
Failure modes: what is done when an atom fails.

`Fail` gives the failure to whoever waits, `Retry` runs the electron again on the same node, `Requeue` sends it to the
others. What is said here travels as a `FailureMode`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias, cast

from msgspec import Struct, structs

from .failure import Failure, FailureKind
from .trials import FailureMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = (
    "Fail",
    "Mode",
    "Requeue",
    "Retry",
    "in_force",
    "names_of",
    "pause_after",
    "stricter",
    "to_travel",
    "worth_another",
)

_MOST_ATTEMPTS = 1_000
_MOST_SECONDS = 1e9
_MOST_NAMES = 64


class Fail(Struct, frozen=True):
    """An attempt that fails is the last one. The default."""

    attempts: ClassVar[int] = 1


class Retry(Struct, frozen=True, kw_only=True):
    """
    Run an electron that failed again, on the same node.

    Its slot is lent while it pauses, and a pause never goes beyond `Settings.retry_hold`: what would come after the
    deadline is not tried any more. The atom finds out by `bond.attempt` and `bond.failures`. A node that dies with it
    counts as an attempt.

    Raises:
        ValueError: A number is out of its range.
        TypeError: What stands in `on` is no exception type and no name of one.
    """

    attempts: int = 3
    """How often it is tried in all, from 1 to 1,000."""
    backoff: float = 0.1
    """Seconds before the second attempt; the pause doubles from there."""
    jitter: float = 0.5
    """Which part of a pause is up to chance, from 0 (none) to 1 (all of it)."""
    on: tuple[type[BaseException] | str, ...] = ()
    """
    The exceptions that are worth another attempt, with those derived from them: types, or `module.Name` for what cannot
    be imported at the sender. Running over the limit is a `TimeoutError`. None given means all. What a child process
    raises is known by its own name, and by what it is derived from where its type is loaded in the runtime too.
    """

    def __post_init__(self) -> None:
        _check_attempts(self)
        _check_seconds("Retry.backoff", self.backoff)
        if not 0.0 <= self.jitter <= 1.0:
            raise ValueError(f"Retry.jitter is a part of the pause, from 0 to 1, not {self.jitter!r}")
        _check_names("Retry.on", self.on)


class Requeue(Struct, frozen=True, kw_only=True):
    """
    Send an electron that failed to the other nodes of its route, as a copy that is confirmed first.

    A node on which it failed before passes it on once, so that one that has not tried it may come first; where all are
    busy, chance decides. The copy has the same id and deadline, the next attempt's number, and the failures so far.

    Raises:
        ValueError: A number is out of its range.
        TypeError: What stands in `on` is no exception type and no name of one.
    """

    attempts: int = 3
    """How often it is tried in all, from 1 to 1,000."""
    delay: float = 0.0
    """Seconds until the copy may be delivered; where a conductor cannot delay, it is held here, up to `retry_hold`."""
    on: tuple[type[BaseException] | str, ...] = ()
    """As in `Retry`."""

    def __post_init__(self) -> None:
        _check_attempts(self)
        _check_seconds("Requeue.delay", self.delay)
        _check_names("Requeue.on", self.on)


Mode: TypeAlias = Fail | Retry | Requeue
"""What is done when an atom fails."""


def stricter(mine: Mode | None, theirs: Mode | None) -> Mode | None:
    """Lay one mode over another: what is done is as mine says, how often as the one that allows fewer attempts."""
    if mine is None or theirs is None or isinstance(mine, Fail):
        return mine or theirs
    return structs.replace(mine, attempts=min(mine.attempts, theirs.attempts))


def to_travel(mode: Mode) -> FailureMode:
    """Write a mode as it travels."""
    if isinstance(mode, Retry):
        return FailureMode(
            kind="retry",
            attempts=mode.attempts,
            pause=mode.backoff,
            growth=2.0,
            jitter=mode.jitter,
            on=tuple(map(_name_of, mode.on)),
        )
    if isinstance(mode, Requeue):
        return FailureMode(kind="requeue", attempts=mode.attempts, pause=mode.delay, on=tuple(map(_name_of, mode.on)))
    return FailureMode()


def in_force(said: FailureMode | None, own: Mode | None) -> FailureMode | None:
    """
    Return the mode that counts for an electron: what its sender said over what its atom says here.

    Args:
        said: What came with the electron.
        own: What the atom is registered with.
    """
    if said is None:
        return None if own is None else to_travel(own)
    most = _MOST_ATTEMPTS if own is None else own.attempts  # whoever sent it need not have asked a `Retry`
    return structs.replace(said, attempts=min(said.attempts, most))


def worth_another(mode: FailureMode, failure: Failure, names: Iterable[str], attempt: int) -> bool:
    """
    Decide whether an electron that failed is tried again.

    Args:
        mode: What is done when it fails.
        failure: How it did.
        names: The exception's type and those it is derived from, as `module.Name`.
        attempt: Which attempt that was.
    """
    if mode.kind not in ("retry", "requeue") or attempt >= mode.attempts or failure.kind not in _RUN_AGAIN:
        return False
    return not mode.on or not set(mode.on).isdisjoint(names)


_RUN_AGAIN = frozenset((FailureKind.FAILED, FailureKind.TIMED_OUT))
"""What an attempt may end with, and the next may not: everything else would be the same again."""


def pause_after(mode: FailureMode, attempt: int, most: float, chance: Callable[[], float]) -> float:
    """
    Decide the seconds between an attempt and the next.

    Args:
        mode: What is done when it fails.
        attempt: Which attempt failed.
        most: The longest pause, in seconds.
        chance: Gives a number from 0 to 1.
    """
    if mode.growth > 1.0:  # the exponent is bounded, or the power would not fit a float
        longest = min(most, mode.pause * mode.growth ** min(attempt - 1, 64))
    else:
        longest = min(most, mode.pause)
    return longest if not mode.jitter else longest * (1.0 - mode.jitter * chance())


def names_of(kind: type[BaseException]) -> tuple[str, ...]:
    """Name an exception's type and all that it is derived from."""
    return tuple(f"{each.__module__}.{each.__qualname__}" for each in kind.__mro__)


def _name_of(kind: type[BaseException] | str) -> str:
    if isinstance(kind, str):
        return kind
    return f"{kind.__module__}.{kind.__qualname__}"


def _check_attempts(mode: Retry | Requeue) -> None:
    attempts = mode.attempts
    if not _is_count(attempts):
        raise ValueError(
            f"{type(mode).__name__}.attempts is how often it is tried in all, from 1 to {_MOST_ATTEMPTS:,}, "
            f"not {attempts!r}"
        )


def _is_count(attempts: object) -> bool:
    return isinstance(attempts, int) and not isinstance(attempts, bool) and 1 <= attempts <= _MOST_ATTEMPTS


def _check_seconds(name: str, seconds: object) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{name} is a number of seconds, not {seconds!r}")
    if not 0 <= seconds <= _MOST_SECONDS:
        raise ValueError(f"{name} is in seconds, from 0 to {_MOST_SECONDS:,.0f}, not {seconds!r}")


def _check_names(name: str, on: object) -> None:
    if not isinstance(on, tuple) or not all(map(_is_exception_or_name, cast("tuple[object, ...]", on))):
        raise TypeError(f"{name} is a tuple of exception types or their names, as in on=(ConnectionError,), not {on!r}")
    if len(cast("tuple[object, ...]", on)) > _MOST_NAMES:
        raise ValueError(f"{name} holds at most {_MOST_NAMES} exceptions: name what they are derived from")


def _is_exception_or_name(kind: object) -> bool:
    return (isinstance(kind, str) and "." in kind) or (isinstance(kind, type) and issubclass(kind, BaseException))
