"""
The table of outcomes, a test for each row: what the asker hears, whether there is a dead letter, how it is settled.

That a delivery was acknowledged shows in that nothing is left on its route when the node has gone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import pytest

import atomizer
from atomizer import Atomizer, Bond, Electron, MemoryConductor, Requeue, Retry, Settings
from atomizer.envelope import UNCLAIMED
from atomizer.properties import Properties
from atomizer.testing.clock import VirtualClock, all_blocked, run
from atomizer.trials import FailureMode, Trials

from .peer import Peer, peer_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atomizer import DeadLetter

TWICE = FailureMode(kind="retry", attempts=2, pause=1.0)


@atomizer.atom(id="outcomes.give")
async def give(number: int) -> int:
    """Give what it was given."""
    return number


@atomizer.atom(id="outcomes.fail")
async def fail(number: int) -> int:
    """Raise."""
    raise ValueError(f"number {number}")


@atomizer.atom(id="outcomes.large")
async def large() -> str:
    """Give more than may be sent."""
    return "x" * 5_000


@atomizer.atom(id="outcomes.odd")
async def odd() -> object:
    """Give what cannot be sent."""
    return object()


@atomizer.atom(id="outcomes.hang")
async def hang() -> None:
    """Go on for ever."""
    await asyncio.sleep(1e6)


ATOMS = (give, fail, large, odd, hang)


class Case(NamedTuple):
    """One row."""

    electron: Electron
    kind: str
    dead_if_awaited: bool
    dead_if_silent: bool


CASES = {
    "unknown atom": Case(Electron(id="e", atom_id="outcomes.none"), "unknown_atom", False, True),
    "misfit payload": Case(
        Electron(id="e", atom_id="outcomes.give", payload=b'"seven"'), "payload_refused", False, True
    ),
    "result not encodable": Case(Electron(id="e", atom_id="outcomes.odd"), "result_refused", False, True),
    "result too large": Case(Electron(id="e", atom_id="outcomes.large"), "result_refused", False, True),
    "too late": Case(Electron(id="e", atom_id="outcomes.give", payload=b"7", budget=0.0), "expired", False, False),
    "atom failed": Case(Electron(id="e", atom_id="outcomes.fail", payload=b"7"), "failed", False, True),
    "atom failed twice": Case(
        Electron(id="e", atom_id="outcomes.fail", payload=b"7", trials=Trials(mode=TWICE)), "failed", True, True
    ),
    "over its limit": Case(Electron(id="e", atom_id="outcomes.hang", limit=1.0), "timed_out", False, True),
}


def in_a_world(story: Callable[[Peer, Atomizer], Awaitable[None]]) -> None:
    """Let a peer and a node be on one hub, and see that nothing is left on the routes at the end."""

    async def main(clock: VirtualClock) -> None:
        hub = MemoryConductor()
        settings = Settings(clock=clock, name="node", max_payload_bytes=4_000, poison_limit=2, backoff_first=0.001)
        async with peer_on(hub) as peer:
            async with Atomizer(*ATOMS, conductor=hub, settings=settings) as node:
                await story(peer, node)
            assert {atom.atom_id: left for atom in ATOMS if (left := peer.waiting(atom.atom_id))} == {}

    run(main)


def route_of(electron: Electron) -> str:
    """Where an electron is sent, so that the node gets it: unknown atoms too."""
    return "outcomes.give" if electron.atom_id == "outcomes.none" else electron.atom_id


@pytest.mark.parametrize("name", CASES)
def test_an_asker_that_waits_hears_the_failure(name: str) -> None:
    """Each by its own kind; a dead letter where more than one attempt was lost."""
    case = CASES[name]

    async def story(peer: Peer, _: Atomizer) -> None:
        await peer.send(case.electron, route=route_of(case.electron))
        outcome = await peer.outcome()
        await all_blocked()
        letters = await peer.letters()

        assert outcome.failure is not None
        assert outcome.failure.kind == case.kind
        assert [letter.reason for letter in letters] == [case.kind] * case.dead_if_awaited

    in_a_world(story)


@pytest.mark.parametrize("name", CASES)
def test_a_failure_that_nobody_waits_for_is_a_dead_letter(name: str) -> None:
    """Unless it was only too late: then an event is all."""
    case = CASES[name]

    async def story(peer: Peer, _: Atomizer) -> None:
        await peer.send(case.electron, reply_to="", route=route_of(case.electron))
        await asyncio.sleep(100)
        letters = await peer.letters()

        assert [letter.reason for letter in letters] == [case.kind] * case.dead_if_silent
        assert all(letter.failures[-1].kind == case.kind for letter in letters)

    in_a_world(story)


def test_bytes_that_cannot_be_read_are_answered_and_a_dead_letter_as_they_came() -> None:
    """Whoever sent them can be asked."""

    async def story(peer: Peer, _: Atomizer) -> None:
        await peer.send_bytes(b"\xc1 no electron", "outcomes.give", "odd")
        outcome = await peer.outcome()
        await all_blocked()
        (letter,) = await peer.letters()

        assert outcome.failure is not None
        assert outcome.failure.kind == "malformed"
        assert (letter.electron_id, letter.reason, letter.body) == ("odd", "malformed", b"\xc1 no electron")

    in_a_world(story)


def test_an_electron_that_is_cancelled_is_answered_and_no_dead_letter() -> None:
    """It is what its sender wanted."""

    async def story(peer: Peer, node: Atomizer) -> None:
        handle = await node.send(hang)
        await handle.cancel()
        outcome = await handle.properties()

        assert outcome.failure is not None
        assert (outcome.failure.kind, outcome.failure.ending) == ("cancelled", "stopped")
        assert await peer.letters() == []

    in_a_world(story)


def test_a_reply_without_a_receiver_is_unclaimed() -> None:
    """I1: the properties are kept where they can be found."""

    async def story(peer: Peer, _: Atomizer) -> None:
        await peer.send(Electron(id="e", atom_id="outcomes.give", payload=b"7"), reply_to="gone")
        await all_blocked()
        (letter,) = await peer.unclaimed()

        assert (letter.reason, letter.electron_id, letter.reply_to) == (UNCLAIMED, "e", "gone")
        properties = atomizer.codec.MESSAGEPACK.decode_reply(letter.body)
        assert isinstance(properties, Properties)
        assert properties.value() == 7
        assert await peer.letters() == []

    in_a_world(story)


def test_an_electron_that_kills_its_nodes_is_poison() -> None:
    """I8: it leaves after a known number of deliveries, and the asker hears of it."""

    async def main(clock: VirtualClock) -> tuple[Properties, list[DeadLetter], list[int]]:
        hub, begun = MemoryConductor(), list[int]()

        @atomizer.atom(id="outcomes.deadly")
        async def deadly(bond: Bond) -> None:
            begun.append(bond.attempt)
            await asyncio.sleep(1e6)

        async with peer_on(hub) as peer:
            await peer.connection.listen(atomizer.Route(atomizer.Lane.WORK, "outcomes.deadly"), 0)
            await peer.send(Electron(id="e", atom_id="outcomes.deadly"))
            while True:
                settings = Settings(clock=clock, poison_limit=2, grace=0.0, cancel_grace=0.5, settle_grace=0.5)
                async with Atomizer(deadly, conductor=hub, settings=settings) as node:
                    await all_blocked()
                    if not node.statistics().running:
                        break
                    for link in node._node.links.values():  # type: ignore[union-attr]
                        hub.cut(link.connection)
            return await peer.outcome(), await peer.letters(), begun

    outcome, (letter,), begun = run(main)

    assert outcome.failure is not None
    assert (outcome.failure.kind, letter.reason) == ("poison", "poison")
    assert begun == [1, 2, 3]
    assert (outcome.attempt, letter.attempts) == (4, 4)


def test_what_a_node_that_stops_has_not_done_is_given_back() -> None:
    """I6: nothing is acknowledged, and another node does it."""

    async def main(clock: VirtualClock) -> int:
        hub = MemoryConductor()
        async with peer_on(hub) as peer:
            async with Atomizer(hang, conductor=hub, settings=Settings(clock=clock, grace=1.0)):
                await peer.send(Electron(id="e", atom_id="outcomes.hang"))
                await all_blocked()
            return peer.waiting("outcomes.hang")

    assert run(main) == 1


def test_a_retry_is_held_here_and_a_requeue_is_a_copy() -> None:
    """The two rows of what has attempts left: neither is answered, and the copy says which attempt it is."""

    async def main(clock: VirtualClock) -> tuple[int, Electron]:
        hub = MemoryConductor()
        settings = Settings(clock=clock, grace=0.0)
        async with peer_on(hub) as peer:
            async with Atomizer(fail, conductor=hub, settings=settings) as node:
                await peer.send(
                    Electron(id="e", atom_id="outcomes.fail", payload=b"7", trials=Trials(mode=TWICE)), reply_to=""
                )
                await all_blocked()
                held = node.statistics().suspended
            route = atomizer.Route(atomizer.Lane.WORK, "outcomes.fail")
            await peer.connection.listen(route, 10)
            delivery = await peer.connection.receive(atomizer.Lane.WORK)
            await peer.connection.settle(delivery, atomizer.Settlement.ACK)
            return held, hub.codec.decode_electron(delivery.body)

    held, copy = run(main)

    assert held == 1
    assert (copy.id, copy.attempt, [each.message for each in copy.failures]) == ("e", 2, ["number 7"])


@pytest.mark.parametrize("mode", [Retry(attempts=3, backoff=0.5), Requeue(attempts=3, delay=0.5)])
def test_an_asker_hears_of_all_attempts(mode: Retry | Requeue) -> None:
    """Their number, the last failure, and a line for each before it."""

    async def story(peer: Peer, node: Atomizer) -> None:
        with pytest.raises(atomizer.AtomFailed) as caught:
            await node.run(fail.options(retry=mode), 7)
        await all_blocked()

        assert caught.value.failure.attempts == 3
        assert [line.partition(", on")[0] for line in caught.value.failure.earlier] == ["An attempt before"] * 2
        (letter,) = await peer.letters()
        assert [each.message for each in letter.failures] == ["number 7"] * 3

    in_a_world(story)
