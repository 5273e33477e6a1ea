"""Options lie over each other."""

from __future__ import annotations

import math
from typing import Any

import pytest

import atomizer
from atomizer import Options, Requeue, Retry
from atomizer.options import NOTHING_SAID
from atomizer.payload import bind_payload


def test_what_is_said_here_counts_more() -> None:
    """The call over the atom over the runtime."""
    merged = Options(timeout=1.0, key="mine").over(Options(timeout=9.0, node="n1"))

    assert merged == Options(timeout=1.0, key="mine", node="n1")


@pytest.mark.parametrize(
    ("mine", "theirs", "counts"), [(5.0, 1.0, 1.0), (1.0, 5.0, 1.0), (None, 2.0, 2.0), (2.0, None, 2.0)]
)
def test_the_smaller_limit_counts(mine: float | None, theirs: float | None, counts: float) -> None:
    """Whoever asks cannot give an atom more time than its author."""
    assert Options(limit=mine).over(Options(limit=theirs)).limit == counts
    assert Options(soft_limit=mine).over(Options(soft_limit=theirs)).soft_limit == counts


def test_the_smaller_number_of_attempts_counts() -> None:
    """The call says what is done when it fails; how often, nobody more than anybody else allows."""
    merged = Options(retry=Retry(attempts=9, backoff=0.5)).over(Options(retry=Requeue(attempts=2), key="theirs"))

    assert merged == Options(retry=Retry(attempts=2, backoff=0.5), key="theirs")
    assert Options(key="mine").over(merged).retry == merged.retry
    assert merged.over(Options(limit=1.0)).retry == merged.retry


def test_nothing_said_changes_nothing() -> None:
    """The shared object that most atoms have."""
    options = Options(limit=1.0)

    assert NOTHING_SAID.over(options) is options
    assert options.over(NOTHING_SAID) is options


@pytest.mark.parametrize("seconds", [-1.0, math.nan])
@pytest.mark.parametrize("name", ["timeout", "limit", "soft_limit", "delay"])
def test_seconds_out_of_range_are_refused(name: str, seconds: float) -> None:
    """With the field's name."""
    with pytest.raises(ValueError, match=name):
        Options(**{name: seconds})  # type: ignore[arg-type]


def test_a_priority_out_of_range_is_refused() -> None:
    """There are three."""
    with pytest.raises(ValueError, match="priority"):
        Options(priority=2)  # type: ignore[arg-type]


@pytest.mark.parametrize("soft_limit", [1.0, 3.0])
def test_a_soft_limit_that_its_limit_forestalls_is_refused(soft_limit: float) -> None:
    """Whoever says both means both."""
    with pytest.raises(ValueError, match=r"Options\.soft_limit is below Options\.limit.*limit=1"):
        Options(soft_limit=soft_limit, limit=1.0)


def test_a_soft_limit_above_the_limit_of_another_is_just_never_reached() -> None:
    """Neither of them knew of the other."""
    assert Options(soft_limit=3.0).over(Options(limit=1.0)) == Options(limit=1.0)
    assert Options(limit=1.0).over(Options(soft_limit=3.0)) == Options(limit=1.0)
    assert Options(soft_limit=math.inf, limit=1.0).limit == 1.0


def test_options_among_the_arguments_of_a_call_are_told_from_them() -> None:
    """Where an atom's own parameter has such a name, it is the parameter that is meant."""

    @atomizer.atom(id="tests.options.add")
    async def add(a: int, b: int) -> int:
        return a + b

    @atomizer.atom(id="tests.options.named")
    async def named(key: str) -> str:
        return key

    with pytest.raises(TypeError, match=r"'timeout': options are said as add\.options\(timeout=3\)$"):
        add.bind((1, 2), {"timeout": 3})
    with pytest.raises(TypeError, match="'sum'$"):
        add.bind((1, 2), {"sum": 3})
    assert named.bind((), {"key": "k"}).body == b'"k"'


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [({"limit": 2}, r"^@atom takes no limit=2: say options=Options\(limit=2\)$"), ({"name": "n"}, "takes no name=$")],
)
def test_the_decorator_says_where_options_go(arguments: Any, reason: str) -> None:
    """They are one argument of it."""
    with pytest.raises(TypeError, match=reason):
        atomizer.atom(**arguments)


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ((1, 2), {}, r"and 2 were given: several arguments are one dict, \{'a': 1, 'b': 2\}$"),
        ((), {"n": 1}, r"'n' was given: several arguments are one dict, \{'a': 1, 'b': 2\}$"),
        ((1,), {"timeout": 3}, r"'timeout' was given: .*; as options say options=Options\(timeout=3\), or"),
    ],
)
def test_an_atom_by_id_says_how_several_arguments_are_given(args: Any, kwargs: Any, reason: str) -> None:
    """Its parameters are not known here."""
    with pytest.raises(TypeError, match=reason):
        bind_payload("m.add", args, kwargs)


def test_a_delay_without_end_is_refused() -> None:
    """Only a timeout and the limits may have no end: such an electron would never come."""
    with pytest.raises(ValueError, match="delay"):
        Options(delay=math.inf)
