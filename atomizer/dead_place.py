"""A dead-letter place: one route of the DEAD lane of one conductor, and what can be done with all that lies there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self, TypeAlias

from ._core.looking import MOST_LETTERS, UNREADABLE, Look, look_at
from .atom import Atom, Definition, definition_of
from .envelope import UNCLAIMED
from .errors import LetterUnknown, nearest
from .failure import FailureKind
from .options import Options

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

    from ._core.broadcast import Broadcast
    from ._core.looking import Found
    from ._core.node import Node
    from ._core.supervision import Link
    from .asker import Asker
    from .conductor import Route
    from .envelope import DeadLetter
    from .registry import Registry
    from .settings import Settings

__all__ = ("AtomOrId", "Office", "Place", "acknowledge", "newest", "wanted_by")

AtomOrId: TypeAlias = Definition | type[Atom] | str
"""An atom, as it is asked for."""

_REASONS = (*(kind.value for kind in FailureKind), UNCLAIMED, UNREADABLE)
_SHOWN = 100
_COMPARED = 1_000  # ids that a missing one is compared with: that takes some 100 µs each


class Office:
    """What dead-letter places need of a runtime."""

    def __init__(
        self,
        *,
        node: Node,
        asker: Asker,
        settings: Settings,
        registry: Registry,
        broadcast: Broadcast,
        check_open: Callable[[None], None],
    ) -> None:
        self.node = node
        self.asker = asker
        self.settings = settings
        self.registry = registry
        self.broadcast = broadcast
        self._check_open = check_open
        self._locks: defaultdict[tuple[Link, Route], asyncio.Lock] = defaultdict(asyncio.Lock)

    def link(self, conductor: str | None) -> Link:
        """
        Return the way to a conductor: the first one, if none is named.

        Raises:
            NotRunning: The runtime is not open.
            ConductorUnknown: There is none of that name.
        """
        self._check_open(None)
        return self.asker.link(Options(conductor=conductor), None)

    @asynccontextmanager
    async def look(self, conductor: str | None, route: Route) -> AsyncGenerator[Look]:
        """Look at a place, one at a time: two at once would each see what the other does not hold."""
        link = self.link(conductor)
        async with self._locks[link, route], look_at(link.conductor, route, self.settings) as look:
            yield look


class Place:
    """One dead-letter place of one conductor."""

    _route: Route
    _what: str

    def __init__(self, office: Office, conductor: str | None = None) -> None:
        self._office = office
        self._conductor = conductor

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of conductor {self._conductor or '(the first)'!r}>"

    def on(self, conductor: str) -> Self:
        """
        Return the same place of another conductor.

        Args:
            conductor: Its name. Without this it is the first one of the runtime.
        """
        return type(self)(self._office, conductor)

    async def list(
        self, *, reason: str | None = None, atom: AtomOrId | None = None, limit: int = _SHOWN
    ) -> tuple[DeadLetter, ...]:
        """
        List what lies there, the oldest first.

        It looks at the oldest 10,000 letters, or 256 MiB of them; what comes meanwhile, and what somebody else looks at
        in that moment, may be missed. What is no dead letter is shown as one, with the reason `unreadable`.

        Args:
            reason: Only those of that reason: a `FailureKind`, `unclaimed`, or `unreadable`.
            atom: Only those of that atom, or atom id.
            limit: How many are returned at most.

        Raises:
            ConductorUnavailable, ConductorBroken: The conductor cannot be reached, or breaks meanwhile.
            ConductorUnknown: There is no conductor of that name.
            NotRunning: The runtime is not open.
            ValueError: The limit is less than 1, or no letter is ever there for that reason; the message names the
                nearest.

        Cancellation: everything goes back as it was.
        """
        wanted = wanted_by(reason, atom, limit)
        async with self._look() as look:
            return tuple(each.letter for each in await look.read(wanted, limit))

    async def show(self, electron_id: str) -> DeadLetter:
        """
        Return the letter of an electron: of several the newest.

        Args:
            electron_id: The electron.

        Raises:
            LetterUnknown: None lies there; the message names near ids.
            ConductorError, NotRunning: As `list`.

        Cancellation: everything goes back as it was.
        """
        async with self._look() as look:
            return newest(await self._letters_of(look, electron_id)).letter

    async def drop(self, letter: DeadLetter | str) -> int:
        """
        Take a letter away for good.

        Args:
            letter: As `list` returned it, or an electron's id: then all letters of that electron.

        Returns:
            How many that were.

        Raises:
            LetterUnknown: None lies there; the message names near ids.
            ConductorError, NotRunning: As `list`; what is not gone lies there as before.

        Cancellation: some may be gone, and the others go back as they were.
        """
        async with self._look() as look:
            return await acknowledge(look, await self._letters_of(look, letter))

    async def drop_all(
        self, *, reason: str | None = None, atom: AtomOrId | None = None, limit: int = MOST_LETTERS
    ) -> int:
        """
        Take all letters away for good, or those of a reason or an atom.

        Args:
            reason: As in `list`.
            atom: As in `list`.
            limit: How many at most.

        Returns:
            How many that were.

        Raises:
            ConductorError, NotRunning, ValueError: As `list`.

        Cancellation: some may be gone, and the others go back as they were.
        """
        wanted = wanted_by(reason, atom, limit)
        async with self._look() as look:
            return await acknowledge(look, await look.read(wanted, limit))

    @asynccontextmanager
    async def _look(self) -> AsyncGenerator[Look]:
        async with self._office.look(self._conductor, self._route) as look:
            yield look

    async def _letters_of(self, look: Look, letter: DeadLetter | str) -> Sequence[Found]:
        """
        Find a letter, or all of an electron.

        Raises:
            LetterUnknown: There is none.
        """

        def is_meant(each: DeadLetter) -> bool:
            return each.electron_id == letter if isinstance(letter, str) else each == letter

        found = await look.read(is_meant)
        if not found:
            raise LetterUnknown(self._miss(look, letter if isinstance(letter, str) else letter.electron_id))
        return found

    def _miss(self, look: Look, electron_id: str) -> str:
        ids = [each.letter.electron_id for each in look.found]
        near = nearest(electron_id, ids[-_COMPARED:], known_as="there")
        return (
            f"no letter of electron {electron_id!r} among the {len(ids):,} {self._what} there; {near}, "
            "or somebody else looks at it just now"
        )


def wanted_by(reason: str | None, atom: AtomOrId | None, limit: int) -> Callable[[DeadLetter], bool]:
    """
    Return what tells the letters that are wanted.

    Raises:
        ValueError: The limit is less than 1, or no letter is ever there for that reason.
    """
    if limit < 1:
        raise ValueError(f"limit is how many letters at most, at least 1, and not {limit!r}")
    if reason is not None and reason not in _REASONS:
        near = nearest(str(reason), _REASONS, known_as="a reason")
        raise ValueError(f"no letter lies anywhere for the reason {reason!r}; {near}")
    atom_id = atom if atom is None or isinstance(atom, str) else definition_of(atom).atom_id
    return lambda letter: reason in (None, letter.reason) and atom_id in (None, letter.atom_id)


async def acknowledge(look: Look, found: Iterable[Found]) -> int:
    """Take letters away for good, and count them."""
    count = 0
    for each in found:
        await look.acknowledge(each)
        count += 1
    return count


def newest(found: Sequence[Found]) -> Found:
    """Choose among letters of one electron: what was replayed most often, then what died last, then what came last."""
    return max(found, key=lambda each: (each.letter.replayed, each.letter.died_ns, each.number))
