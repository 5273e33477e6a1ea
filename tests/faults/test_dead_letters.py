"""No letter vanishes, whatever goes wrong while somebody looks at it, replays it or drops it."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest

import atomizer
from atomizer import (
    Atomizer,
    AtomizerError,
    Bond,
    Conductor,
    ConductorError,
    Electron,
    Lane,
    LetterUnknown,
    MemoryConductor,
    Route,
    Settings,
)
from atomizer.codec import MESSAGEPACK
from atomizer.envelope import DEAD, DeadLetter
from atomizer.testing.clock import VirtualClock, run
from atomizer.testing.faults import FaultyConductor
from atomizer.testing.plan import Plan

SEEDS = range(150)
IDS = tuple(f"e{number}" for number in range(5))
PLACE = Route(Lane.DEAD, DEAD)

ran: list[str] = []
"""The electrons that `note` was called for."""


@atomizer.atom(id="faults.dead.note")
async def note(bond: Bond) -> str:
    """Remember that it ran."""
    ran.append(bond.electron.id)
    return bond.electron.id


async def lay(hub: MemoryConductor) -> None:
    """Lay a letter for each electron."""
    async with hub.connect() as connection:
        for electron_id in IDS:
            body = MESSAGEPACK.encode_electron(Electron(id=electron_id, atom_id="faults.dead.note"))
            letter = DeadLetter(
                electron_id=electron_id,
                reason="failed",
                body=body,
                content_type=MESSAGEPACK.content_type,
                atom_id="faults.dead.note",
                route="faults.dead.note",
            )
            frame = atomizer.Frame(PLACE, MESSAGEPACK.encode_dead_letter(letter), MESSAGEPACK.content_type, electron_id)
            await connection.send(frame)


async def lying(hub: MemoryConductor) -> list[str]:
    """Return what lies there."""
    async with hub.connect() as connection:
        await connection.listen(PLACE, 100)
        found: list[str] = []
        while (delivery := connection.receive_nowait(Lane.DEAD)) is not None:
            found.append(delivery.id)
        return found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_letter_is_there_until_its_electron_has_run(seed: int) -> None:
    """I1, I5: also where a connection breaks, a confirm is lost or a call hangs at any step of a replay."""
    plan = Plan.from_seed(seed, rate=0.15)

    async def main(clock: VirtualClock) -> list[str]:
        hub = MemoryConductor()
        await lay(hub)
        settings = Settings(clock=clock, random=Random(seed))
        async with Atomizer(note, conductor=hub, settings=settings):
            for _ in range(4):
                with suppress(ConductorError):
                    await replay_all(FaultyConductor(hub, plan), settings)
        return await lying(hub)

    ran.clear()
    left = run(main)

    assert set(left) | set(ran) == set(IDS)


async def replay_all(conductor: Conductor, settings: Settings) -> None:
    """Look, replay, and wait for what can be waited for."""
    async with Atomizer(conductor=conductor, settings=settings, serve=False) as runtime:
        await runtime.dead_letters.list()
        for handle in await runtime.dead_letters.replay_all(timeout=60.0):
            with suppress(AtomizerError):
                await handle.properties()


@pytest.mark.parametrize("seed", SEEDS)
def test_only_what_is_dropped_is_gone(seed: int) -> None:
    """Whoever looks takes nothing away, and whoever drops one letter leaves the others."""
    plan = Plan.from_seed(seed, rate=0.15)

    async def main(clock: VirtualClock) -> list[str]:
        hub = MemoryConductor()
        await lay(hub)
        settings = Settings(clock=clock, random=Random(seed))
        for _ in range(4):
            with suppress(ConductorError, LetterUnknown):
                async with Atomizer(conductor=FaultyConductor(hub, plan), settings=settings, serve=False) as runtime:
                    await runtime.dead_letters.drop(IDS[2])
        return await lying(hub)

    left = run(main)

    assert set(left) in ({*IDS} - {IDS[2]}, {*IDS})
