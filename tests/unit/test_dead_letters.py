"""Dead letters and unclaimed properties: looked at, replayed, taken and dropped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import atomizer
from atomizer import (
    AtomFailed,
    Atomizer,
    AtomUnknown,
    Bond,
    ConductorUnknown,
    DeadLetter,
    Electron,
    FailureKind,
    LetterUnknown,
    Malformed,
    MemoryConductor,
    NoReplyAsked,
    NotRunning,
    Options,
    Retry,
    Route,
    Settings,
    events,
)
from atomizer._core.looking import MOST_LETTERS, look_at
from atomizer.codec import GO, MESSAGEPACK
from atomizer.testing.clock import VirtualClock, run
from atomizer.testing.record import RecordingConductor
from atomizer.trials import FailureMode, Trials

from .atoms import add, double
from .letters import DEAD_ROUTE, UNCLAIMED_ROUTE, PlainConductor, ids_lying, lay, letter, lying, unclaimed

if TYPE_CHECKING:
    from atomizer import Conductor

seen: list[tuple[Electron, int]] = []
"""The electrons that `look` was called with, and their attempts."""


@atomizer.atom(id="tests.dead.look")
async def look(bond: Bond, number: int) -> int:
    """Remember how it was asked."""
    seen.append((bond.electron, bond.attempt))
    return number


def asker(conductor: Conductor, **settings: float) -> Atomizer:
    """Open a runtime that only asks."""
    return Atomizer(conductor=conductor, settings=Settings(**settings), serve=False)  # type: ignore[arg-type]


# Looking


async def test_letters_are_listed_in_order_and_stay_as_they_were() -> None:
    """Looking changes nothing, however often, and by no rule of a conductor's contract."""
    inner = MemoryConductor()
    conductor = RecordingConductor(inner)
    letters = [letter(f"e{number}") for number in range(200)]
    await lay(inner, *letters)

    async with asker(conductor) as runtime:
        first = await runtime.dead_letters.list(limit=500)
        second = await runtime.dead_letters.list(limit=500)

    assert first == second == tuple(letters)
    assert [(delivery.id, delivery.count) for delivery in await lying(inner)] == [(f"e{n}", 0) for n in range(200)]
    assert conductor.ledger.violations() == []


async def test_an_empty_place_has_no_letters() -> None:
    """And none had to be there before."""
    async with asker(MemoryConductor()) as runtime:
        assert await runtime.dead_letters.list() == ()
        assert await runtime.unclaimed.list() == ()
        assert await runtime.dead_letters.replay_all() == ()
        assert await runtime.dead_letters.drop_all() == 0


async def test_letters_are_chosen_by_reason_atom_and_number() -> None:
    """An atom may be named, or be one."""
    conductor = MemoryConductor()
    await lay(conductor, letter("a"), letter("b", "tests.double"), letter("c", reason="poison"), letter("d"))

    async with asker(conductor) as runtime:
        by_reason = await runtime.dead_letters.list(reason=FailureKind.POISON)
        by_atom = await runtime.dead_letters.list(atom=add)
        by_id = await runtime.dead_letters.list(atom="tests.double")
        first = await runtime.dead_letters.list(limit=2)
        with pytest.raises(ValueError, match="at least 1, and not 0"):
            await runtime.dead_letters.list(limit=0)

    assert [each.electron_id for each in by_reason] == ["c"]
    assert [each.electron_id for each in by_atom] == ["a", "c", "d"]
    assert [each.electron_id for each in by_id] == ["b"]
    assert [each.electron_id for each in first] == ["a", "b"]
    assert await ids_lying(conductor) == ["a", "b", "c", "d"]


async def test_of_several_letters_of_an_electron_the_newest_is_shown() -> None:
    """What was replayed more often is newer, then what died later, then what came later."""
    conductor = MemoryConductor()
    await lay(conductor, letter("a", died_ns=9), letter("a", died_ns=1, replayed=1), letter("a", died_ns=2))

    async with asker(conductor) as runtime:
        assert (await runtime.dead_letters.show("a")).replayed == 1


async def test_a_letter_that_is_not_there_is_told_with_those_that_are() -> None:
    """Ids are long, and mistyped."""
    conductor = MemoryConductor()
    await lay(conductor, letter("4c1f-17"), letter("4c1f-18"))

    async with asker(conductor) as runtime:
        with pytest.raises(LetterUnknown, match=r"the 2 dead letters there; did you mean '4c1f-1\d' or"):
            await runtime.dead_letters.show("4c1f-19")
        with pytest.raises(LetterUnknown, match="nothing is there"):
            await runtime.unclaimed.take("4c1f-17")


async def test_what_is_no_letter_is_listed_beside_the_others() -> None:
    """It can be seen and dropped, and where it was going nobody knows."""
    conductor = MemoryConductor()
    await lay(conductor, letter("a"), b"\xc1", letter("b"))

    async with asker(conductor) as runtime:
        _, mangled, _ = await runtime.dead_letters.list()
        with pytest.raises(Malformed, match="'mangled' is no dead letter: nobody knows"):
            await runtime.dead_letters.replay(mangled)
        left = await ids_lying(conductor)
        dropped = await runtime.dead_letters.drop("mangled")

    assert (mangled.electron_id, mangled.reason, mangled.body, mangled.attempts) == (
        "mangled",
        "unreadable",
        b"\xc1",
        0,
    )
    assert "the envelope cannot be read" in mangled.failures[0].message
    assert left == ["a", "mangled", "b"]
    assert dropped == 1
    assert await ids_lying(conductor) == ["a", "b"]


async def test_letters_without_an_id_have_one_by_their_bytes() -> None:
    """So each can be dropped without the others."""
    conductor = MemoryConductor()
    await lay(conductor, *(DeadLetter(electron_id="", reason="malformed", body=body) for body in (b"one", b"two")))

    async with asker(conductor) as runtime:
        one, two = await runtime.dead_letters.list()
        await runtime.dead_letters.drop(one.electron_id)
        left = await runtime.dead_letters.list()

    assert one.electron_id != two.electron_id
    assert one.electron_id.startswith("unnamed-")
    assert left == (two,)


def test_two_looks_at_once_see_everything() -> None:
    """What one holds the other would not see, so they go one after the other."""

    async def main(clock: VirtualClock) -> list[int]:
        inner = MemoryConductor()
        await lay(inner, *(letter(f"e{number}") for number in range(10)))
        async with Atomizer(conductor=PlainConductor(inner), settings=Settings(clock=clock), serve=False) as runtime:
            return [len(each) for each in await asyncio.gather(*(runtime.dead_letters.list() for _ in range(3)))]

    assert run(main) == [10, 10, 10]


async def test_nothing_more_is_taken_once_it_was_read() -> None:
    """What is done with letters may lead to new ones, which are somebody else's to see."""
    conductor = PlainConductor(MemoryConductor())
    await lay(conductor.inner, *(letter(f"e{number}") for number in range(3)))

    async with look_at(conductor, DEAD_ROUTE, Settings()) as held:
        first = await held.read(lambda _: True, 2)
        after = conductor.credits[DEAD_ROUTE]

    assert len(first) == 2
    assert after == 0


async def test_a_look_holds_a_bounded_number_of_letters() -> None:
    """The oldest ones; the others wait until those are gone."""
    conductor = MemoryConductor(capacity=MOST_LETTERS + 10)
    await lay(conductor, *(letter(f"e{number}") for number in range(MOST_LETTERS + 5)))

    async with asker(conductor) as runtime:
        listed = await runtime.dead_letters.list(limit=MOST_LETTERS + 10)
        with pytest.raises(LetterUnknown, match="among the 10,000 dead letters"):
            await runtime.dead_letters.show(f"e{MOST_LETTERS}")

    assert [each.electron_id for each in listed] == [f"e{number}" for number in range(MOST_LETTERS)]
    assert await ids_lying(conductor) == [f"e{number}" for number in range(MOST_LETTERS + 5)]


def test_without_a_depth_a_look_ends_when_it_is_quiet() -> None:
    """A transport need not say how much there is, nor do anything at once."""

    async def main(clock: VirtualClock) -> float:
        inner = MemoryConductor()
        await lay(inner, *(letter(f"e{number}") for number in range(100)))
        async with Atomizer(conductor=PlainConductor(inner), settings=Settings(clock=clock), serve=False) as runtime:
            began = clock.monotonic()
            assert len(await runtime.dead_letters.list(limit=500)) == 100
            return clock.monotonic() - began

    assert 0.1 < run(main) < 2.0


@pytest.mark.parametrize("end", ["cancelled", "cut"])
async def test_a_look_that_breaks_off_gives_everything_back(end: str) -> None:
    """In order: whoever looks may die at any moment."""
    conductor = MemoryConductor()
    await lay(conductor, *(letter(f"e{number}") for number in range(5)))
    is_held = asyncio.Event()

    async def hold() -> None:
        async with look_at(conductor, DEAD_ROUTE, Settings()) as held:
            await held.read(lambda _: True)
            is_held.set()
            await asyncio.get_running_loop().create_future()

    async with asyncio.TaskGroup() as group:
        holding = group.create_task(hold())
        await is_held.wait()
        while_held = await ids_lying(conductor)
        if end == "cut":
            conductor.cut()
        holding.cancel()

    assert while_held == []
    assert await ids_lying(conductor) == [f"e{number}" for number in range(5)]


async def test_places_are_those_of_the_conductor_that_is_named() -> None:
    """Without a name, of the first."""
    one, two = MemoryConductor("one"), MemoryConductor("two")
    await lay(one, letter("a"))
    await lay(two, letter("b"))

    async with Atomizer(one, two, serve=False) as runtime:
        assert [each.electron_id for each in await runtime.dead_letters.list()] == ["a"]
        assert [each.electron_id for each in await runtime.dead_letters.on("two").list()] == ["b"]
        with pytest.raises(ConductorUnknown, match="no conductor named 'tow' here: did you mean 'two'"):
            await runtime.dead_letters.on("tow").list()


async def test_a_runtime_that_is_not_open_has_no_letters() -> None:
    """Neither before nor after."""
    runtime = Atomizer(serve=False)
    with pytest.raises(NotRunning, match="was not entered"):
        _ = runtime.dead_letters
    async with runtime:
        letters = runtime.dead_letters

    with pytest.raises(NotRunning, match="has stopped"):
        await letters.list()


# Dropping


async def test_an_id_means_all_letters_of_an_electron_and_a_letter_itself_alone() -> None:
    """An electron may be given up on twice, since it may be delivered twice."""
    conductor = MemoryConductor()
    first, second = letter("a", died_ns=1), letter("a", died_ns=2)
    await lay(conductor, first, second, letter("b"), first)

    async with asker(conductor) as runtime:
        assert await runtime.dead_letters.drop(second) == 1
        assert await ids_lying(conductor) == ["a", "b", "a"]
        assert await runtime.dead_letters.drop("a") == 2

    assert await ids_lying(conductor) == ["b"]


async def test_letters_are_dropped_by_reason_and_atom() -> None:
    """All at once."""
    conductor = MemoryConductor()
    await lay(conductor, letter("a"), letter("b", "tests.double"), letter("c", reason="poison"))

    async with asker(conductor) as runtime:
        assert await runtime.dead_letters.drop_all(atom=add, reason="failed") == 1
        assert await ids_lying(conductor) == ["b", "c"]
        assert await runtime.dead_letters.drop_all() == 2

    assert await ids_lying(conductor) == []


# Replaying


async def test_a_replay_is_the_same_request_with_a_life_of_its_own() -> None:
    """Its id, mode, limit, parent and trace stay; its deadline and failures do not."""
    conductor = MemoryConductor()
    mode = FailureMode(kind="retry", attempts=2)
    failures = (atomizer.Failure(kind="failed"),)
    before = {
        "deadline_ns": 1,
        "budget": 0.5,
        "limit": 7.0,
        "attempt": 2,
        "parent": "p",
        "trace": "t",
        "reply": False,
        "trials": Trials(mode=mode, failures=failures, passed_on=True, replayed=1),
    }
    dead = letter("a", "tests.dead.look", b"7", electron=before, replayed=1, attempts=2, failures=failures)
    await lay(conductor, dead)
    seen.clear()

    async with Atomizer(look, conductor=conductor) as runtime:
        handle = await runtime.dead_letters.replay("a")
        result = await handle
        left = await runtime.dead_letters.list()

    [(electron, attempt)] = seen
    assert (handle.electron_id, result, attempt, left) == ("a", 7, 1, ())
    assert electron == Electron(
        id="a",
        atom_id="tests.dead.look",
        sender=runtime.name,
        payload=b"7",
        limit=7.0,
        parent="p",
        trace="t",
        trials=Trials(mode=mode, again=True, replayed=2),
    )


async def test_a_replay_keeps_its_dialect_key_and_priority() -> None:
    """Whoever could read it the first time can read it again."""
    inner = MemoryConductor()
    conductor = RecordingConductor(inner)
    await lay(inner, letter("a", payload=b'{"a":20,"b":22}', codec=GO, key="k", priority=1, route="shared"))

    async with inner.connect() as node, asker(conductor) as runtime:
        route = Route(atomizer.Lane.WORK, "shared")
        await node.listen(route, 1)
        await runtime.dead_letters.replay("a")
        delivery = await node.receive(atomizer.Lane.WORK)

    assert delivery.content_type == GO.content_type
    assert (delivery.id, delivery.reply_to, delivery.key, delivery.priority) == ("a", runtime.name, "k", 1)
    assert GO.decode_electron(delivery.body).replayed == 1


async def test_a_replay_may_have_a_timeout() -> None:
    """A new one: the old deadline is over long since."""
    conductor = MemoryConductor()
    await lay(conductor, letter("a", "tests.dead.look", b"7"))
    seen.clear()

    async with Atomizer(look, conductor=conductor) as runtime:
        with pytest.raises(ValueError, match="timeout is in seconds"):
            await runtime.dead_letters.replay("a", timeout=-1.0)
        await (await runtime.dead_letters.replay("a", timeout=60.0))

    [(electron, _)] = seen
    assert electron.budget == pytest.approx(60.0, abs=1.0)
    assert electron.deadline is not None


async def test_a_letter_is_acknowledged_after_its_copy_is_confirmed() -> None:
    """I5: never before."""
    inner = MemoryConductor()
    conductor = RecordingConductor(inner)
    await lay(inner, letter("a"))

    async with Atomizer(add, conductor=conductor) as runtime:
        assert await (await runtime.dead_letters.replay("a")) == 3

    [copy] = [row for row in conductor.ledger.sent if row.route.lane is atomizer.Lane.WORK]
    [settled] = [row for row in conductor.ledger.settled if row.route == DEAD_ROUTE]
    assert copy.ended_at is not None
    assert copy.ended_at <= settled.at
    assert settled.settlement is atomizer.Settlement.ACK
    assert conductor.ledger.violations() == []


async def test_a_replay_that_is_not_confirmed_leaves_the_letter() -> None:
    """It waits for room on a route that has none, and is cancelled there."""
    conductor = MemoryConductor(capacity=1)
    work = Route(atomizer.Lane.WORK, "tests.add")
    await lay(conductor, letter("a"))

    async with conductor.connect() as node, asker(conductor) as runtime:
        await node.listen(work, 0)
        await node.send(atomizer.Frame(work, b"", MESSAGEPACK.content_type, "other"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await runtime.dead_letters.replay("a")
        outstanding = runtime.statistics().outstanding

    assert outstanding == 0
    assert await ids_lying(conductor) == ["a"]


async def test_a_replay_to_nobody_leaves_the_letter() -> None:
    """It says which route nobody takes."""
    conductor = MemoryConductor()
    await lay(conductor, letter("a"))

    async with asker(conductor) as runtime:
        with pytest.raises(AtomUnknown, match=r"route 'tests\.add' on conductor 'memory': the letter stays"):
            await runtime.dead_letters.replay("a")
        outstanding = runtime.statistics().outstanding

    assert outstanding == 0
    assert [(each.id, each.count) for each in await lying(conductor)] == [("a", 0)]


async def test_all_letters_of_an_electron_are_taken_away_by_its_replay() -> None:
    """The newest is sent; they are one request."""
    conductor = MemoryConductor()
    await lay(conductor, letter("a", replayed=3), letter("b"), letter("a"))

    async with Atomizer(add, conductor=conductor) as runtime:
        watched = runtime.events()
        assert await (await runtime.dead_letters.replay("a")) == 3

    sent = [event.electron_id async for event in watched if isinstance(event, events.ElectronSent)]
    assert sent == ["a"]
    assert await ids_lying(conductor) == ["b"]


async def test_an_electron_that_is_outstanding_here_is_not_replayed() -> None:
    """An id is one request."""
    conductor = MemoryConductor()
    await lay(conductor, letter("a"), letter("a"))
    work = Route(atomizer.Lane.WORK, "tests.add")

    async with conductor.connect() as node, asker(conductor, grace=0.0) as runtime:
        await node.listen(work, 0)
        first, second = await runtime.dead_letters.list()
        assert first == second
        handle = await runtime.dead_letters.replay("a")
        await lay(conductor, first)
        with pytest.raises(ValueError, match="'a' is outstanding already"):
            await runtime.dead_letters.replay("a")
        [unsent] = await runtime.dead_letters.replay_all()
        with pytest.raises(atomizer.AtomizerError, match="'a' is outstanding already"):
            await unsent

    with pytest.raises(NotRunning):
        await handle
    assert await ids_lying(conductor) == ["a"]


async def test_a_replay_without_a_reply_has_no_outcome() -> None:
    """Nobody waits, so whoever runs it answers nobody."""
    conductor = MemoryConductor()
    await lay(conductor, letter("a", "tests.dead.look", b"7"))
    seen.clear()

    async with Atomizer(look, conductor=conductor) as runtime:
        handle = await runtime.dead_letters.replay("a", reply=False)
        with pytest.raises(NoReplyAsked):
            await handle

    assert [electron.reply for electron, _ in seen] == [False]


async def test_bytes_that_cannot_be_read_are_sent_as_they_came() -> None:
    """Perhaps a newer node reads them; this one does not."""
    conductor = MemoryConductor()
    await lay(conductor, letter("a", body=b"\xc1", reason="malformed"))

    async with Atomizer(add, conductor=conductor) as runtime:
        [mangled] = await runtime.dead_letters.list()
        with pytest.raises(Malformed):
            runtime.dead_letters.electron(mangled)
        handle = await runtime.dead_letters.replay(mangled)
        with pytest.raises(AtomFailed) as caught:
            await handle

    assert caught.value.failure.kind == FailureKind.MALFORMED


async def test_letters_are_replayed_by_reason_and_atom() -> None:
    """Each electron once; one that cannot be sent does not keep the others."""
    conductor = MemoryConductor()
    await lay(
        conductor, letter("a"), letter("b", "tests.nobody"), letter("a"), b"\xc1", letter("c", "tests.double", b"4")
    )

    async with Atomizer(add, double, conductor=conductor) as runtime:
        handles = await runtime.dead_letters.replay_all()
        results = [await handle for handle in handles if handle.atom_id in ("tests.add", "tests.double")]
        with pytest.raises(AtomUnknown):
            await handles[1]
        with pytest.raises(Malformed):
            await handles[2]
        left = [each.electron_id for each in await runtime.dead_letters.list()]

    assert [handle.electron_id for handle in handles] == ["a", "b", "mangled", "c"]
    assert results == [3, 8]
    assert left == ["b", "mangled"]


async def test_a_letter_that_cannot_be_taken_away_after_its_replay_is_an_event() -> None:
    """It lies there as before, and no other is sent over a connection that is broken."""
    inner = MemoryConductor()
    conductor = PlainConductor(inner)
    conductor.loses_acks = True
    await lay(inner, letter("a"), letter("b"))

    async with Atomizer(add, conductor=conductor) as runtime:
        watched = runtime.events()
        [handle] = await runtime.dead_letters.replay_all()
        assert await handle == 3

    lost = [event.electron_id async for event in watched if isinstance(event, events.SettlementLost)]
    assert lost == ["a"]
    assert await ids_lying(inner) == ["a", "b"]


# From its death to its replay


class Closed(Exception):
    """What `shop` raises."""


doors: list[bool] = []
"""Whether `shop` is open: the last word counts."""


@atomizer.atom(id="tests.dead.shop", options=Options(retry=Retry(attempts=2, backoff=0.0)))
async def shop(bond: Bond, item: str) -> str:
    """Sell, if it is open."""
    if not doors[-1]:
        raise Closed(f"no {item} today, {bond.electron.replayed}")
    return f"{item}, {bond.attempt}, {bond.electron.replayed}"


async def test_an_electron_is_replayed_until_it_succeeds() -> None:
    """On the very node that has answered its id before: a replay is run, and not recalled."""
    doors[:] = [False]
    async with Atomizer(shop) as runtime:
        deaths = runtime.events()
        with pytest.raises(AtomFailed, match="no tea today, 0"):
            await runtime.run(shop.options(id="mine", limit=60.0), "tea")
        await anext(event async for event in deaths if isinstance(event, events.ElectronDead))
        first = await runtime.dead_letters.show("mine")

        with pytest.raises(AtomFailed, match="no tea today, 1"):
            await (await runtime.dead_letters.replay("mine"))
        await anext(event async for event in deaths if isinstance(event, events.ElectronDead))
        second = await runtime.dead_letters.show("mine")

        doors.append(True)
        result = await (await runtime.dead_letters.replay("mine"))
        left = await runtime.dead_letters.list()

    assert [failure.message for failure in first.failures] == ["no tea today, 0"] * 2
    assert (first.attempts, first.replayed, first.node, first.conductor) == (2, 0, runtime.name, "memory")
    assert (second.attempts, second.replayed, len(second.failures)) == (2, 1, 2)
    assert result == "tea, 1, 2"
    assert left == ()


async def test_a_result_whose_asker_has_left_can_be_taken() -> None:
    """It was computed, so it is not lost."""
    conductor = MemoryConductor()
    doors[:] = [True]
    async with Atomizer(shop, conductor=conductor) as runtime:
        seen_there = runtime.events()
        async with conductor.connect() as gone:
            frame = atomizer.Frame(
                Route(atomizer.Lane.WORK, "tests.dead.shop"),
                MESSAGEPACK.encode_electron(Electron(id="e", atom_id="tests.dead.shop", payload=b'"tea"', sender="g")),
                MESSAGEPACK.content_type,
                "e",
                "gone",
            )
            await gone.send(frame)
        await anext(event async for event in seen_there if isinstance(event, events.ElectronDead))
        [listed] = await runtime.unclaimed.list()
        properties = await runtime.unclaimed.take("e")
        left = await runtime.unclaimed.list()

    assert (listed.reply_to, listed.reason, listed.node) == ("gone", "unclaimed", runtime.name)
    assert properties.value() == "tea, 1, 0"
    assert left == ()


# Unclaimed


async def test_properties_that_nobody_took_are_taken() -> None:
    """Looking leaves them there; taking does not."""
    conductor = MemoryConductor()
    await lay(conductor, unclaimed("a", b"1"), unclaimed("b"), unclaimed("a", b"2", died_ns=5), to=UNCLAIMED_ROUTE)

    async with asker(conductor) as runtime:
        listed = await runtime.unclaimed.list(reason="unclaimed")
        looked_at = [runtime.unclaimed.properties(each).decode(int) for each in listed]
        taken = await runtime.unclaimed.take("a")
        left = await ids_lying(conductor, UNCLAIMED_ROUTE)
        dropped = await runtime.unclaimed.drop("b")

    assert looked_at == [1, 3, 2]
    assert all(each.is_unclaimed for each in listed)
    assert (taken.electron_id, taken.value()) == ("a", 2)
    assert left == ["b"]
    assert dropped == 1


async def test_properties_that_cannot_be_read_are_not_taken() -> None:
    """They can be dropped."""
    conductor = MemoryConductor()
    progress = MESSAGEPACK.encode_reply(atomizer.Progress(electron_id="b", done=1.0))
    await lay(conductor, unclaimed("a", body=b"\xc1"), unclaimed("b", body=progress), to=UNCLAIMED_ROUTE)

    async with asker(conductor) as runtime:
        with pytest.raises(Malformed):
            await runtime.unclaimed.take("a")
        with pytest.raises(Malformed, match="'b' is a letter of something else"):
            await runtime.unclaimed.take("b")

    assert await ids_lying(conductor, UNCLAIMED_ROUTE) == ["a", "b"]
