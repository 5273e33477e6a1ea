"""
What was given up on: electrons that lie with the dead letters, and results that nobody was there to take.

Both lie with the conductor, on the DEAD lane, until somebody replays, takes or drops them. Whoever looks does it over a
connection of its own and holds what it looks at; it all goes back as it was, also when the one who looks dies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._core.looking import MOST_LETTERS, UNREADABLE
from .bounds import bounds_of
from .codec import codec_for
from .conductor import Lane, Route
from .dead_place import Place, acknowledge, newest, wanted_by
from .envelope import DEAD, UNCLAIMED
from .errors import AtomizerError, ConductorError, Malformed
from .events import SettlementLost
from .options import Options
from .properties import Properties
from .replay import Replays, electron_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._core.looking import Found, Look
    from .dead_place import AtomOrId, Office
    from .electron import Electron
    from .envelope import DeadLetter
    from .handle import Handle

__all__ = ("DeadLetters", "Unclaimed")


class DeadLetters(Place):
    """
    The electrons that were given up on, as `runtime.dead_letters` has them.

    They lie with the conductor they came by. An electron may lie there twice, since it may be delivered twice; a letter
    as `list` returned it is that one alone, and an electron's id means all letters of that electron.
    """

    _route = Route(Lane.DEAD, DEAD)
    _what = "dead letters"

    def __init__(self, office: Office, conductor: str | None = None) -> None:
        super().__init__(office, conductor)
        self._replays = Replays(office)

    def electron(self, letter: DeadLetter) -> Electron:
        """
        Read the electron that a letter is about: its payload, options and trials.

        Raises:
            Malformed: Its bytes cannot be read; they are `letter.body`.
        """
        return electron_in(letter, self._office.settings)

    async def replay(
        self,
        letter: DeadLetter | str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # the electron's, and not that of this call
        reply: bool = True,
    ) -> Handle[Any]:
        """
        Send an electron that was given up on again, and return once the other side has it.

        It is the same request with the same id, its first attempt and none of its failures; `electron.replayed` is one
        more. Its limit, failure mode, priority, key, parent and trace are as they were, and its old deadline counts no
        more. This runtime gets the outcome. Bytes that cannot be read are sent as they are.

        The letter is taken away once the copy is confirmed. If it cannot be, that is an event (`SettlementLost`), and
        it lies there as before: a node that has had the copy lately answers a second one without running it.

        Args:
            letter: As `list` returned it, or an electron's id: then the newest of its letters is sent, and all of them
                are taken away.
            timeout: Seconds for its new life; None for no end.
            reply: False: nobody waits for the outcome, and should it fail again it becomes a dead letter again.

        Raises:
            LetterUnknown: None lies there; the message names near ids.
            AtomUnknown: Nobody takes electrons of its route. The letter stays.
            Malformed: It is no dead letter, so nobody knows where it was going. It stays.
            ValueError: An electron of that id is outstanding here, or the timeout is out of its range. It stays.
            ConductorError, NotRunning: As `list`; whether it was sent is unknown, and the letter stays.

        Cancellation: whether it was sent is unknown, and the letter stays.
        """
        options = Options(timeout=timeout, reply=reply)
        async with self._look() as look:
            return await self._replay(look, await self._letters_of(look, letter), options)

    async def replay_all(
        self,
        *,
        reason: str | None = None,
        atom: AtomOrId | None = None,
        limit: int = MOST_LETTERS,
        timeout: float | None = None,  # noqa: ASYNC109  # the electrons', and not that of this call
        reply: bool = True,
    ) -> tuple[Handle[Any], ...]:
        """
        Replay all letters, or those of a reason or an atom: each electron once, the oldest first.

        One that cannot be sent does not keep the others: its letter stays, and its handle raises why. When a letter
        cannot be taken away, the rest is left there, and has no handle.

        Args:
            reason: As in `list`.
            atom: As in `list`.
            limit: How many letters at most.
            timeout: As in `replay`.
            reply: As in `replay`.

        Raises:
            ConductorError, NotRunning, ValueError: As `list`.

        Cancellation: some may be sent, and the letters of the others go back as they were.
        """
        wanted, options = wanted_by(reason, atom, limit), Options(timeout=timeout, reply=reply)
        async with self._look() as look:
            found = await look.read(wanted, limit)
            handles: list[Handle[Any]] = []
            for each in _by_electron(found):
                if not look.is_broken:
                    handles.append(await self._tried(look, each, options))
            return tuple(handles)

    async def _tried(self, look: Look, found: Sequence[Found], options: Options) -> Handle[Any]:
        try:
            return await self._replay(look, found, options)
        except (AtomizerError, ValueError) as error:
            return self._replays.failed(newest(found).letter, error)

    async def _replay(self, look: Look, found: Sequence[Found], options: Options) -> Handle[Any]:
        letter = newest(found).letter
        if letter.reason == UNREADABLE:
            raise Malformed(f"{letter.electron_id!r} is no dead letter: nobody knows where it was going, so drop it")
        link = self._office.link(self._conductor)
        handle = await self._replays.send(link, letter, options)
        try:
            await acknowledge(look, found)
        except ConductorError as error:
            self._office.broadcast.emit(
                SettlementLost, conductor=link.name, electron_id=letter.electron_id, error=str(error)
            )
        return handle


class Unclaimed(Place):
    """
    The properties that nobody was there to take, as `runtime.unclaimed` has them: their sender was gone.

    Each lies there in a `DeadLetter` with the reason `unclaimed`.
    """

    _route = Route(Lane.DEAD, UNCLAIMED)
    _what = "unclaimed letters"

    def properties(self, letter: DeadLetter) -> Properties:
        """
        Read the properties in a letter.

        Raises:
            Malformed: They cannot be read; their bytes are `letter.body`.
        """
        reply = codec_for(letter.content_type).decode_reply(letter.body, bounds_of(self._office.settings))
        if not isinstance(reply, Properties):
            raise Malformed(f"{letter.electron_id!r} is a letter of something else: {reply!r}")
        return reply

    async def take(self, letter: DeadLetter | str) -> Properties:
        """
        Take the properties of an electron, and their letters away.

        Args:
            letter: As `list` returned it, or an electron's id: then the newest properties, and all letters of it.

        Raises:
            LetterUnknown: None lies there; the message names near ids.
            Malformed: They cannot be read. The letter stays.
            ConductorError, NotRunning: As `list`.

        Cancellation: they may be gone.
        """
        async with self._look() as look:
            found = await self._letters_of(look, letter)
            properties = self.properties(newest(found).letter)
            await acknowledge(look, found)
            return properties


def _by_electron(found: Iterable[Found]) -> Iterable[Sequence[Found]]:
    by_id: dict[str, list[Found]] = {}
    for each in found:
        by_id.setdefault(each.letter.electron_id, []).append(each)
    return by_id.values()
