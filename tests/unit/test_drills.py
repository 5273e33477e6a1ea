"""Drills: an atom that does not bear to be run again is found, and one that does is not."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

import atomizer
from atomizer import AtomFailed, Bond, Options, RegistrationRefused, Settings
from atomizer.testing.drills import Drill, DrillFailed, Fault, run_drills

charges: list[tuple[str, int]] = []
"""What was charged, by whoever does not look."""
charged: dict[str, int] = {}
"""What was charged, by the electron's id."""
steps: Counter[str] = Counter()


@atomizer.atom(id="drills.charge")
async def charge(cents: int) -> int:
    charges.append(("anna", cents))
    return cents


@atomizer.atom(id="drills.charge_once")
async def charge_once(bond: Bond, cents: int) -> int:
    return charged.setdefault(bond.electron.id, cents)


@atomizer.atom(id="drills.transfer")
async def transfer(cents: int) -> None:
    steps["debit"] += cents
    await asyncio.sleep(1)
    steps["credit"] += cents


@atomizer.atom(id="drills.both")
async def both(bond: Bond, cents: int) -> int:
    return sum([each async for each in bond.map(charge_once, [cents, cents])])


@atomizer.atom(id="drills.shout", options=Options(reply=False))
async def shout(bond: Bond) -> None:
    charged[bond.electron.id] = 1


@atomizer.atom(id="drills.fail")
async def fail() -> None:
    raise ValueError("seven")


@atomizer.atom(id="drills.plain")
def plain() -> int:
    return 1


@atomizer.atom(id="drills.stubborn")
async def stubborn() -> str:
    for _ in range(3):
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            continue
    return "done"


class Tally(atomizer.Atom, id="drills.tally"):
    async def process(self, conductor: Bond, electron: atomizer.Electron) -> int:
        return charged.setdefault(electron.id, electron.decode(int))


async def buy(drill: Drill) -> None:
    charges.clear()
    async with drill.runtime(charge) as runtime:
        assert await runtime.run(charge, 500) == 500
    assert len(charges) == 1


async def buy_once(drill: Drill) -> None:
    charged.clear()
    async with drill.runtime(charge_once) as runtime:
        assert await runtime.run(charge_once, 500) == 500
    assert list(charged.values()) == [500]


@pytest.mark.parametrize("fault", Fault)
def test_atom_that_charges_twice_is_found_by_each_fault(fault: Fault) -> None:
    """A crash after the effect, a second delivery, a lost reply: each makes an atom run again, somewhere."""
    with pytest.raises(AssertionError) as caught:
        run_drills(buy, faults=(fault,))

    assert len(charges) == 2
    note = "\n".join(caught.value.__notes__)
    assert note.startswith("drill of seed ")
    assert f"\n  {fault} at 0 s, " in note
    assert f"faults=(Fault.{fault.name},))" in note


def test_atom_that_charges_once_by_the_electrons_id_bears_them_all() -> None:
    """The same id is the same request, so it is the key under which the change is made."""
    drills = run_drills(buy_once, seeds=range(40))

    met = {happened.fault for drill in drills for happened in drill.happened}
    assert met == set(Fault)
    assert [drill.seed for drill in drills] == list(range(40))
    assert all(drill.happened for drill in drills)


def test_drill_that_failed_is_the_same_when_it_runs_alone() -> None:
    """What the note says to call does what the drill did: the same faults, at the same electrons, at the same time."""
    with pytest.raises(AssertionError) as first:
        run_drills(buy, seeds=range(3, 20))
    with pytest.raises(AssertionError) as again:
        run_drills(buy, seeds=(3,))

    assert first.value.__notes__ == again.value.__notes__
    assert "to run this drill alone: run_drills(buy, seeds=(3,))" in first.value.__notes__[0]


def test_seeds_take_different_courses() -> None:
    """A seed is a history of its own."""
    drills = run_drills(buy_once, seeds=range(20))

    assert len({str(drill).partition("\n")[2] for drill in drills}) > 15


def test_crash_comes_while_an_atom_waits() -> None:
    """Between two effects a node is gone: what was begun is not brought to its end."""

    async def move(drill: Drill) -> None:
        steps.clear()
        async with drill.runtime(transfer) as runtime:
            await runtime.run(transfer, 500)
        assert steps["debit"] == steps["credit"]

    with pytest.raises(AssertionError) as caught:
        run_drills(move, faults=(Fault.CRASH,))

    assert steps["debit"] > steps["credit"]
    assert "crash at " in caught.value.__notes__[0]


def test_spawners_class_atoms_and_electrons_without_a_reply_bear_them_all() -> None:
    """Whatever is asked, by whom, and whether anybody waits."""

    async def ask(drill: Drill) -> None:
        charged.clear()
        async with drill.runtime(both, charge_once, shout, Tally) as runtime:
            assert await runtime.run(both, 250) == 500
            assert await runtime.run(Tally, 7) == 7
            await runtime.send(shout)
        assert sorted(set(charged.values())) == [1, 7, 250]

    drills = run_drills(ask, seeds=range(60))

    assert sum(len(drill.happened) for drill in drills) >= 60


def test_atom_that_will_not_stop_ends_with_its_node_all_the_same() -> None:
    """A node that crashes does not wait for it, and another answers."""

    async def ask(drill: Drill) -> None:
        async with drill.runtime(stubborn, settings=Settings(slots=1)) as runtime:
            assert await runtime.run(stubborn) == "done"

    drills = run_drills(ask, seeds=range(15), faults=(Fault.CRASH,))

    assert len(drills) == 15


def test_program_may_open_one_runtime_after_another_and_read_the_clock() -> None:
    """Each has nodes of its own, and time goes on."""

    async def ask(drill: Drill) -> None:
        charged.clear()
        for number in (1, 2):
            async with drill.runtime(charge_once) as runtime:
                await runtime.run(charge_once, number)
            assert drill.clock.monotonic() > 0
        assert list(charged.values()) == [1, 2]

    run_drills(ask)


def test_program_that_fails_without_any_fault_is_told_so() -> None:
    """Nobody is to look for a fault that was not there."""

    async def ask(drill: Drill) -> None:
        async with drill.runtime(fail) as runtime:
            await runtime.run(fail)

    with pytest.raises(AtomFailed, match="seven") as caught:
        run_drills(ask)

    assert caught.value.__notes__[-1] == "drill without faults:\nask fails by itself"


def test_program_that_asks_for_nothing_is_told_so() -> None:
    """A test that nothing can go wrong in proves nothing."""

    async def ask(drill: Drill) -> None:
        async with drill.runtime(charge):
            pass

    with pytest.raises(DrillFailed, match="nothing went wrong in any drill: ask asks for no electron"):
        run_drills(ask)


def test_program_that_never_ends_is_over_when_its_patience_is() -> None:
    """A day of virtual time, if nothing else is said."""

    async def ask(drill: Drill) -> None:
        async with drill.runtime(charge):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run_drills(ask, patience=3600)


def test_atom_that_takes_real_time_is_refused() -> None:
    """The clock cannot stand still for a thread while nodes crash."""

    async def ask(drill: Drill) -> None:
        async with drill.runtime(plain):
            raise AssertionError("it was opened")

    with pytest.raises(ValueError, match="drills.plain runs in a thread, which takes real time"):
        run_drills(ask)


def test_what_cannot_be_registered_is_refused_as_by_a_runtime() -> None:
    """In the words that `Atomizer` has for it."""

    async def ask(drill: Drill) -> None:
        async with drill.runtime(charge, charge):
            raise AssertionError("it was opened")

    with pytest.raises(RegistrationRefused, match="already registered"):
        run_drills(ask)


def test_ledger_of_a_drill_is_looked_at() -> None:
    """What breaks the discipline fails a drill, though its program finds nothing."""

    async def ask(drill: Drill) -> None:
        async with drill.runtime(charge_once) as runtime:
            await runtime.run(charge_once, 1)
        drill.ledger.accuse("'e1' was settled twice")

    with pytest.raises(DrillFailed, match="discipline of the ledger was broken:\n  'e1' was settled twice"):
        run_drills(ask)
