"""An atom's code while it runs, as its world hears of it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from .atoms import NODE, silent, single, stubborn

if TYPE_CHECKING:
    from atomizer import Bond

    from .world import World

__all__ = ("Running",)

SLACK = 0.001
MAY_RUN_ON = (stubborn.atom_id,)
"""What may be left behind running, and come again meanwhile."""


class Running:
    """The block in which an atom's code runs."""

    __slots__ = ("_bond", "_node", "_world")

    def __init__(self, world: World, bond: Bond) -> None:
        self._world = world
        self._bond = bond
        self._node = NODE.get()

    def __enter__(self) -> None:
        world, bond = self._world, self._bond
        electron = bond.electron
        world.starts[electron.id, electron.atom_id] += 1
        if electron.atom_id == silent.atom_id:
            world.done_in_silence.add(electron.decode(int))
        left = self._life_left()
        if left <= 0:
            world.accuse(f"I9: {bond!r} began after its deadline")
        if bond.time_left() > left + SLACK:
            world.accuse(f"I9: {bond!r} was given more time than there is")
        self._check_attempt()
        self._count(1)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._count(-1)
        if kind is None and self._life_left() < -SLACK:
            self._world.accuse(f"I9: {self._bond!r} ran on after its deadline")

    def _check_attempt(self) -> None:
        """I8: look that nothing poisonous runs, and that no attempt was forgotten."""
        world, bond = self._world, self._bond
        attempt, failed = bond.attempt, len(bond.failures)
        if attempt <= failed:
            world.accuse(f"I8: attempt {attempt} of {bond!r} comes after {failed} that failed")
        if attempt - failed > 1 and attempt - failed > 1 + world.losses_of(bond.electron.id):
            world.accuse(f"I8: attempt {attempt} of {bond!r} comes after {failed} that failed, and none was lost")
        if not failed and attempt - 1 > world.poison_limit:  # a copy is counted anew
            world.accuse(f"I8: {bond!r} runs, and was delivered in vain {attempt - 1} times")

    def _count(self, more: int) -> None:
        """I3: look that no electron runs twice at once on one node, nor do two of a singleton."""
        world, electron = self._world, self._bond.electron
        at_work, id = world.at_work, electron.id
        at_work[self._node, id] += more
        if at_work[self._node, id] > 1 and electron.atom_id not in MAY_RUN_ON and not world.was_duplicated(id):
            world.accuse(f"I3: {id} runs twice at once on node {self._node}")
        if electron.atom_id == single.atom_id:
            at_work[self._node, single.atom_id] += more
            if at_work[self._node, single.atom_id] > 1:
                world.accuse(f"two of {single.atom_id} run at once on node {self._node}")

    def _life_left(self) -> float:
        """Return the seconds until the deadline that this electron, or its parent, was sent with."""
        electron, deadlines = self._bond.electron, self._world.deadlines
        deadline = deadlines.get(electron.id, deadlines.get(electron.parent, inf))
        return deadline - self._world.clock.monotonic()
