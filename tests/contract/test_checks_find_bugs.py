"""The checks of the contract find what they are for, and nothing else."""

from __future__ import annotations

import pytest

from atomizer.conductor import Capability
from atomizer.testing.conductor_checks import Check, CheckFailed, conductor_checks
from tests.contract.bugs import FOUND_BY
from tests.contract.wrapped import EVERYTHING, Modest, Passing, WrappedBench

CHECKS = {check.name: check for check in conductor_checks()}
REFUSED = {capability: f"{capability.value}_is_refused_where_missing" for capability in Capability} | {
    Capability.COUNT: "what_is_not_counted_is_none"
}


@pytest.mark.parametrize(("bug", "found_by"), [(bug, name) for bug, names in FOUND_BY.items() for name in names])
async def test_bug_is_found_by_the_check_of_its_promise(bug: type[Passing], found_by: str) -> None:
    """A conductor with one bug fails the check that is named for the promise it breaks."""
    bench = WrappedBench(bug)
    bench.patience = 0.1

    try:
        with pytest.raises(CheckFailed) as failure:
            await CHECKS[found_by].run(bench)
    finally:
        bug.tidy()

    assert str(failure.value).startswith(CHECKS[found_by].promise)


@pytest.mark.parametrize("capability", sorted(Capability, key=str))
async def test_capability_that_is_not_declared_and_not_refused_is_found(capability: Capability) -> None:
    """A conductor that does what it says it cannot do fails the check of that refusal."""
    bench = WrappedBench(Passing, EVERYTHING - {capability})

    with pytest.raises(CheckFailed):
        await CHECKS[REFUSED[capability]].run(bench)


def test_every_check_finds_a_bug() -> None:
    """No check passes whatever a conductor does."""
    found = {name for names in FOUND_BY.values() for name in names} | set(REFUSED.values())

    assert found == set(CHECKS)


@pytest.mark.parametrize(("kind", "capabilities"), [(Passing, EVERYTHING), (Modest, frozenset[Capability]())])
@pytest.mark.parametrize("check", CHECKS.values(), ids=str)
async def test_conductor_without_bugs_passes(
    check: Check, kind: type[Passing], capabilities: frozenset[Capability]
) -> None:
    """The wrapping itself breaks no promise, and neither does a conductor that can do little and says so."""
    bench = WrappedBench(kind, capabilities)

    await check.run(bench)
