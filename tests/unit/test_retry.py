"""Failure modes: what they may say, how they lie over each other, and what follows from them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from msgspec import structs

import atomizer
from atomizer import Atomizer, Bond, DeadLetter, Electron, Fail, Failure, FailureKind, Options, Requeue, Retry
from atomizer.codec import CODECS, GO, Codec
from atomizer.envelope import UNCLAIMED
from atomizer.retry import Mode, in_force, names_of, pause_after, stricter, to_travel, worth_another
from atomizer.trials import FailureMode, Trials


class Unlucky(ConnectionError):
    """Of the application's own."""


def failed(kind: str = "failed") -> Failure:
    """Make a failure of a kind."""
    return Failure(kind=kind, type="builtins.ConnectionError", message="no")


# What may be said


def test_each_mode_has_its_defaults() -> None:
    """Three times in all; one that fails is over."""
    assert (Fail().attempts, Retry().attempts, Requeue().attempts) == (1, 3, 3)
    assert (Retry().backoff, Retry().jitter, Retry().on, Requeue().delay) == (0.1, 0.5, (), 0.0)


@pytest.mark.parametrize("mode", [Retry, Requeue])
@pytest.mark.parametrize("attempts", [0, -1, 1_001, 2.0, True, "3"])
def test_attempts_out_of_range_are_refused(mode: type[Retry | Requeue], attempts: Any) -> None:
    """They are counted, from the first one on."""
    with pytest.raises(ValueError, match=rf"^{mode.__name__}\.attempts is how often .* from 1 to 1,000, not"):
        mode(attempts=attempts)


@pytest.mark.parametrize(
    ("mode", "arguments", "error", "said"),
    [
        (Retry, {"backoff": -0.1}, ValueError, r"Retry\.backoff is in seconds"),
        (Retry, {"backoff": math.inf}, ValueError, r"Retry\.backoff is in seconds"),
        (Retry, {"backoff": math.nan}, ValueError, r"Retry\.backoff is in seconds"),
        (Retry, {"backoff": "1"}, TypeError, r"Retry\.backoff is a number of seconds, not '1'"),
        (Retry, {"backoff": True}, TypeError, r"Retry\.backoff is a number of seconds, not True"),
        (Requeue, {"delay": -1}, ValueError, r"Requeue\.delay is in seconds"),
        (Retry, {"jitter": 1.1}, ValueError, r"Retry\.jitter is a part of the pause, from 0 to 1, not 1\.1"),
        (Retry, {"jitter": math.nan}, ValueError, r"Retry\.jitter"),
        (Retry, {"on": ConnectionError}, TypeError, r"Retry\.on is a tuple of exception types .* as in on=\("),
        (Retry, {"on": ("ConnectionError",)}, TypeError, r"Retry\.on is a tuple of exception types or their names"),
        (Requeue, {"on": (int,)}, TypeError, r"Requeue\.on is a tuple"),
        (Retry, {"on": ("a.B",) * 65}, ValueError, r"Retry\.on holds at most 64 exceptions"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(
    mode: Any, arguments: dict[str, Any], error: type[Exception], said: str
) -> None:
    """When the mode is built, and not when something fails."""
    with pytest.raises(error, match=said):
        mode(**arguments)


def test_options_take_a_mode_and_nothing_else() -> None:
    """The class itself is no mode."""
    assert Options(retry=Retry(attempts=2)).retry == Retry(attempts=2)
    with pytest.raises(TypeError, match=r"Options\.retry is Fail\(\), Retry\(…\) or Requeue\(…\), not 3"):
        Options(retry=3)  # type: ignore[arg-type]


# One over another

MODES = (Fail(), Retry(attempts=2), Retry(attempts=5), Requeue(attempts=4, delay=1.0))


@pytest.mark.parametrize(
    ("mine", "theirs", "counts"),
    [
        (None, None, None),
        (None, Retry(), Retry()),
        (Retry(), None, Retry()),
        (Retry(attempts=5), Retry(attempts=2), Retry(attempts=2)),
        (Retry(attempts=2), Retry(attempts=5), Retry(attempts=2)),
        (Retry(attempts=5, backoff=9.0), Requeue(attempts=4, delay=1.0), Retry(attempts=4, backoff=9.0)),
        (Requeue(attempts=4, delay=1.0), Retry(attempts=5), Requeue(attempts=4, delay=1.0)),
        (Retry(attempts=5), Fail(), Retry(attempts=1)),
        (Fail(), Retry(attempts=5), Fail()),
    ],
)
def test_of_two_modes_the_nearer_says_what_and_the_smaller_how_often(
    mine: Mode | None, theirs: Mode | None, counts: Mode | None
) -> None:
    """Whoever asks cannot have an atom tried more often than its author allows."""
    assert stricter(mine, theirs) == counts
    assert Options(retry=mine).over(Options(retry=theirs)).retry == counts


@pytest.mark.parametrize("mine", MODES)
@pytest.mark.parametrize("theirs", MODES)
def test_what_came_with_an_electron_lies_over_what_its_atom_says(mine: Mode, theirs: Mode) -> None:
    """On the node it is decided as it is where somebody asks."""
    merged = stricter(mine, theirs)
    assert merged is not None
    said = to_travel(mine)

    assert in_force(said, theirs) == to_travel(merged)
    assert in_force(said, None) == said
    assert in_force(None, theirs) == to_travel(theirs)
    assert in_force(None, None) is None


# On the wire


def test_a_mode_travels_as_data() -> None:
    """Exceptions by their names: the other side may not have them."""
    retry = Retry(attempts=4, backoff=0.5, jitter=0.0, on=(ConnectionError, Unlucky, "shop.errors.Sold"))
    named = ("builtins.ConnectionError", f"{__name__}.Unlucky", "shop.errors.Sold")

    assert to_travel(retry) == FailureMode(kind="retry", attempts=4, pause=0.5, growth=2.0, jitter=0.0, on=named)
    assert to_travel(Requeue(attempts=2, delay=3.0)) == FailureMode(kind="requeue", attempts=2, pause=3.0)
    assert to_travel(Fail()) == FailureMode()


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.content_type)
def test_trials_travel_in_every_dialect(codec: Codec) -> None:
    """Also in Go's, whose nodes pass over them."""
    mode = FailureMode(kind="retry", attempts=2, on=("a.B",))
    trials = Trials(mode=mode, failures=(failed(),), passed_on=True, again=True, replayed=2)
    electron = Electron(id="e", atom_id="a", payload=b"[1]", trials=trials)

    assert codec.decode_electron(codec.encode_electron(electron)) == electron
    assert (electron.failures, electron.replayed) == ((failed(),), 2)


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.content_type)
def test_a_letter_travels_with_the_bytes_as_they_came(codec: Codec) -> None:
    """Whatever they are."""
    letter = DeadLetter(
        electron_id="e", reason="malformed", body=bytes(range(256)), failures=(failed(),), died_ns=10**18
    )

    read = codec.decode_dead_letter(codec.encode_dead_letter(letter))

    assert read == letter
    assert read.died.isoformat() == "2001-09-09T01:46:40+00:00"
    assert not read.is_unclaimed
    assert structs.replace(read, reason=UNCLAIMED).is_unclaimed


def test_an_electron_without_trials_has_neither_failures_nor_replays() -> None:
    """As nearly all."""
    electron = Electron(id="e", atom_id="a")

    assert (electron.trials, electron.failures, electron.replayed) == (None, (), 0)
    assert b"trials" not in GO.encode_electron(electron)


# Whether there is another attempt


@pytest.mark.parametrize("kind", FailureKind)
def test_only_what_ran_may_end_otherwise_the_next_time(kind: FailureKind) -> None:
    """An unknown atom, a payload that does not fit and a cancelled electron would be the same again."""
    mode = FailureMode(kind="retry", attempts=3)

    assert worth_another(mode, failed(kind), (), 1) == (kind in (FailureKind.FAILED, FailureKind.TIMED_OUT))


@pytest.mark.parametrize(
    ("kind", "attempt", "is_worth"),
    [
        ("retry", 1, True),
        ("retry", 2, True),
        ("retry", 3, False),
        ("retry", 9, False),
        ("requeue", 2, True),
        ("requeue", 3, False),
        ("fail", 1, False),
        ("a word of a newer node", 1, False),
    ],
)
def test_attempts_come_to_an_end(kind: str, attempt: int, is_worth: bool) -> None:
    """The first one counts, and so do those that ended in a crash."""
    mode = FailureMode(kind=kind, attempts=3)

    assert worth_another(mode, failed(), (), attempt) == is_worth


@pytest.mark.parametrize(
    ("on", "error", "is_worth"),
    [
        ((), ValueError, True),
        ((ConnectionError,), ConnectionError, True),
        ((ConnectionError,), Unlucky, True),
        ((OSError,), Unlucky, True),
        ((Unlucky,), ConnectionError, False),
        ((ConnectionError,), ValueError, False),
        ((ValueError, KeyError), KeyError, True),
        ((f"{__name__}.Unlucky",), Unlucky, True),
        (("elsewhere.Unlucky",), Unlucky, False),
    ],
)
def test_only_the_exceptions_that_are_named_are_worth_another_attempt(
    on: tuple[type[BaseException] | str, ...], error: type[BaseException], is_worth: bool
) -> None:
    """And those derived from them, as in an `except`."""
    assert worth_another(to_travel(Retry(on=on)), failed(), names_of(error), 1) == is_worth


# How long the pause is


@pytest.mark.parametrize(
    ("attempt", "chance", "seconds"),
    [(1, 0.0, 0.1), (2, 0.0, 0.2), (3, 0.0, 0.4), (4, 0.0, 0.8), (1, 1.0, 0.05), (3, 0.5, 0.3)],
)
def test_pauses_of_a_retry_double_less_what_is_up_to_chance(attempt: int, chance: float, seconds: float) -> None:
    """Without the chance, all that failed together would come again together."""
    mode = to_travel(Retry(backoff=0.1, jitter=0.5))

    assert pause_after(mode, attempt, 10.0, lambda: chance) == pytest.approx(seconds)


def test_a_pause_never_goes_beyond_what_is_held() -> None:
    """However often it was tried: the power would not fit a float."""
    mode = to_travel(Retry(attempts=1_000, backoff=0.1, jitter=0.0))

    assert pause_after(mode, 8, 10.0, lambda: 0.0) == 10.0
    assert pause_after(mode, 10**9, 10.0, lambda: 0.0) == 10.0
    assert pause_after(to_travel(Retry(backoff=0.0)), 5, 10.0, lambda: 0.0) == 0.0


def test_the_delay_of_a_requeue_stays_the_same() -> None:
    """And nothing of it is up to chance: other nodes take it as they have room."""
    mode = to_travel(Requeue(delay=3.0))

    assert [pause_after(mode, attempt, 10.0, lambda: 1.0) for attempt in (1, 2, 9)] == [3.0, 3.0, 3.0]
    assert pause_after(mode, 1, 2.0, lambda: 1.0) == 2.0


# On an atom and at a call

tried: list[tuple[int, int]] = []
"""The attempts of `flaky`, and how many failures it knew of."""


@atomizer.atom(id="tests.retry.flaky", options=Options(retry=Retry(attempts=3, backoff=0.0)))
async def flaky(bond: Bond, number: int) -> int:
    """Fail twice."""
    tried.append((bond.attempt, len(bond.failures)))
    if bond.attempt < 3:
        raise Unlucky("not yet")
    return number


async def test_a_call_may_allow_fewer_attempts_than_its_atom_and_not_more() -> None:
    """And may say that there is none."""
    async with Atomizer(flaky) as runtime:
        tried.clear()
        assert await runtime.run(flaky.options(retry=Retry(attempts=9, backoff=0.0)), 7) == 7
        with pytest.raises(atomizer.AtomFailed):
            await runtime.run(flaky.options(retry=Retry(attempts=2, backoff=0.0)), 7)
        with pytest.raises(atomizer.AtomFailed):
            await runtime.run(flaky.options(retry=Fail()), 7)

    assert tried == [(1, 0), (2, 1), (3, 2), (1, 0), (2, 1), (1, 0)]


async def test_what_is_not_named_is_not_tried_again() -> None:
    """Only what may pass by itself should be."""
    async with Atomizer(flaky) as runtime:
        tried.clear()
        with pytest.raises(atomizer.AtomFailed):
            await runtime.run(flaky.options(retry=Retry(attempts=3, backoff=0.0, on=(KeyError,))), 7)
        assert await runtime.run(flaky.options(retry=Retry(attempts=3, backoff=0.0, on=(OSError,))), 7) == 7

    assert tried == [(1, 0), (1, 0), (2, 1), (3, 2)]
