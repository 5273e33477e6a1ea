"""Replay: a dead letter becomes an electron again, and is sent as a new request of the same id."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from .annotations import reader_of
from .bounds import bounds_of
from .codec import codec_for
from .conductor import Frame, Lane, Route
from .errors import AtomizerError, AtomUnknown, Malformed, NobodyThere, NoReplyAsked
from .events import ElectronSent
from .failure import Failure, FailureKind
from .handle import Handle, wait_lending
from .properties import Properties
from .trials import Trials

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._core.supervision import Link
    from .dead_place import Office
    from .electron import Electron
    from .envelope import DeadLetter
    from .options import Options
    from .settings import Settings

__all__ = ("Replays", "asked_again", "electron_in")


class Asked(Struct, frozen=True):
    """
    How an electron is asked for again.

    Attributes:
        sender: The node that does it.
        reply: Whether that node waits for the outcome.
        deadline_ns: When its new life ends, in UTC nanoseconds since 1970; None for never.
        budget: Seconds until then.
    """

    sender: str
    reply: bool
    deadline_ns: int | None = None
    budget: float | None = None


def asked_again(letter: DeadLetter, electron: Electron, how: Asked) -> Electron:
    """Make the electron of a replay: the same request, with a life of its own and nothing gone wrong so far."""
    mode = None if electron.trials is None else electron.trials.mode
    replayed = min(max(letter.replayed, electron.replayed) + 1, 2**31)  # as many as can be told
    return structs.replace(
        electron,
        sender=how.sender,
        reply=how.reply,
        deadline_ns=how.deadline_ns,
        budget=how.budget,
        attempt=1,
        trials=Trials(mode=mode, again=True, replayed=replayed),
    )


def electron_in(letter: DeadLetter, settings: Settings) -> Electron:
    """
    Read the electron that a letter is about.

    Raises:
        Malformed: Its bytes cannot be read.
    """
    return codec_for(letter.content_type).decode_electron(letter.body, bounds_of(settings))


class Replays:
    """Sends dead letters again, on behalf of one runtime."""

    def __init__(self, office: Office) -> None:
        self._node = office.node
        self._asker = office.asker
        self._settings = office.settings
        self._registry = office.registry
        self._broadcast = office.broadcast

    async def send(self, link: Link, letter: DeadLetter, options: Options) -> Handle[Any]:
        """
        Send the electron of a letter again, and return once the other side has it.

        Args:
            link: Over which conductor.
            letter: What lay there.
            options: Its timeout, and whether this node waits for its outcome.

        Raises:
            AtomUnknown: Nobody takes electrons of its route.
            ValueError: An electron of its id is outstanding here.
            ConductorBroken, ConductorUnavailable, NotTaken: As `Link.send`.
        """
        reply = options.reply is not False
        deadline = self._settings.clock.monotonic() + (inf if options.timeout is None else options.timeout)
        handle = self._expect(link, letter, deadline, reply=reply)
        renew = self._frames(letter, deadline, reply=reply)
        until = min(deadline, self._settings.clock.monotonic() + self._settings.send_patience)
        try:
            await wait_lending(lambda: link.send(renew(), until, renew))
        except NobodyThere as error:
            self._forget(handle)
            raise _unknown(link, letter) from error
        except BaseException:
            self._forget(handle)
            raise
        self._broadcast.emit(
            ElectronSent, electron_id=letter.electron_id, atom_id=letter.atom_id, conductor=link.name, attempt=1
        )
        return handle

    def failed(self, letter: DeadLetter, error: Exception) -> Handle[Any]:
        """Make the handle of an electron that could not be sent."""
        handle: Handle[Any] = Handle(letter.electron_id, letter.atom_id, self._asker, Properties.value)
        handle.fail(error if isinstance(error, AtomizerError) else AtomizerError(str(error)))
        return handle

    def _expect(self, link: Link, letter: DeadLetter, deadline: float, *, reply: bool) -> Handle[Any]:
        """Wait for the outcome: from before it is sent, for it may be over by then."""
        found = self._registry.find(letter.atom_id)
        read, raises = (reader_of(Any), ()) if found is None else (found.definition.read, found.definition.raises)
        handle: Handle[Any] = Handle(letter.electron_id, letter.atom_id, self._asker, read, raises, None, link)
        if not reply:
            handle.fail(NoReplyAsked(f"electron {letter.electron_id!r} was replayed with reply=False"))
            return handle
        if self._node.correlation.expecting.setdefault(letter.electron_id, handle) is not handle:
            raise ValueError(f"electron {letter.electron_id!r} is outstanding already: an id is one request")
        if deadline < inf:
            handle.due = deadline + self._settings.grace
            self._node.alarm.wake_by(handle.due)
        return handle

    def _forget(self, handle: Handle[Any]) -> None:
        if self._node.correlation.find(handle.electron_id) is handle:
            self._node.correlation.take(handle.electron_id)

    def _frames(self, letter: DeadLetter, deadline: float, *, reply: bool) -> Callable[[], Frame]:
        """Return what makes the frame of a replay, each time with the budget that is left."""
        try:
            electron = electron_in(letter, self._settings)
        except Malformed:  # nothing can be changed in it: it goes as it came
            return lambda: self._frame(letter, letter.route, letter.body, reply=reply)
        codec, route = codec_for(letter.content_type), letter.route or electron.atom_id

        def renewed() -> Frame:
            again = asked_again(letter, electron, self._asked(deadline, reply=reply))
            return self._frame(letter, route, codec.encode_electron(again), reply=reply)

        return renewed

    def _asked(self, deadline: float, *, reply: bool) -> Asked:
        if deadline == inf:
            return Asked(self._node.name, reply)
        clock = self._settings.clock
        budget = max(0.0, deadline - clock.monotonic())
        return Asked(self._node.name, reply, clock.utc_ns() + int(budget * 1e9), budget)

    def _frame(self, letter: DeadLetter, route: str, body: bytes, *, reply: bool) -> Frame:
        return Frame(
            Route(Lane.WORK, route),
            body,
            letter.content_type,
            letter.electron_id,
            self._node.name if reply else "",
            letter.key,
            letter.priority,
        )


def _unknown(link: Link, letter: DeadLetter) -> AtomUnknown:
    where = f"nobody takes electrons of route {letter.route or letter.atom_id!r} on conductor {link.name!r}"
    failure = Failure(kind=FailureKind.UNKNOWN_ATOM, message=f"{where}: the letter stays where it lies")
    return AtomUnknown(failure, atom_id=letter.atom_id, electron_id=letter.electron_id)
