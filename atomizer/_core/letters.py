"""Letters: what is written on the envelope of an electron that is given up on, and how it is made to fit. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..codec import MESSAGEPACK
from ..envelope import UNCLAIMED, DeadLetter

if TYPE_CHECKING:
    from ..codec import Codec
    from ..conductor import Frame
    from ..electron import Electron
    from ..failure import Failure
    from ..properties import Properties
    from .flight import Flight

__all__ = ("letter_of", "to_fit", "unclaimed_letter")

_LONGEST_ID, _LONGEST_TYPE = 256, 128
_MESSAGE_MOST = 200
_LENGTH_BYTES = 4
"""What the length of a body takes more than that of an empty one."""


def letter_of(flight: Flight, outcome: Properties) -> DeadLetter:
    """Put an electron as it came into its envelope, with everything that went wrong."""
    delivery, electron, failure = flight.delivery, flight.electron, outcome.failure
    assert failure is not None  # noqa: S101  # what has a result is not given up on
    letter = DeadLetter(
        electron_id=delivery.id[:_LONGEST_ID],
        reason=failure.kind,
        body=delivery.body,
        content_type=delivery.content_type[:_LONGEST_TYPE],
        route=delivery.route.name,
        conductor=flight.link.name,
        reply_to=delivery.reply_to[:_LONGEST_ID],
        key=delivery.key[:_LONGEST_ID],
        priority=delivery.priority,
        attempts=outcome.attempt,
        failures=(failure,),
    )
    if electron is None:
        return letter
    return replace(
        letter,
        electron_id=electron.id,
        atom_id=electron.atom_id,
        sender=electron.sender,
        failures=(*_before(electron, outcome), failure),
        trace=electron.trace,
        replayed=electron.replayed,
    )


def _before(electron: Electron, outcome: Properties) -> tuple[Failure, ...]:
    """Return what went wrong before the last attempt: an electron made ready for another knows of that one too."""
    return electron.failures if electron.attempt == outcome.attempt else electron.failures[:-1]


def unclaimed_letter(flight: Flight, reply: Frame) -> DeadLetter:
    """Put properties that nobody was there to take into an envelope."""
    delivery, electron = flight.delivery, flight.electron
    letter = DeadLetter(
        electron_id=delivery.id,
        reason=UNCLAIMED,
        body=reply.body,
        content_type=reply.content_type,
        route=delivery.route.name,
        conductor=flight.link.name,
        reply_to=delivery.reply_to,
    )
    if electron is None:
        return letter
    return replace(
        letter,
        electron_id=electron.id,
        atom_id=electron.atom_id,
        sender=electron.sender,
        attempts=electron.attempt,
        trace=electron.trace,
        replayed=electron.replayed,
    )


def to_fit(letter: DeadLetter, codec: Codec, most_bytes: int) -> tuple[bytes, str]:
    """
    Write a letter so that the transport takes it.

    What is left out first is what people can do without: tracebacks, and then everything but the last failure in a few
    words. JSON makes bytes a third longer, so a letter too large in it is written as MessagePack. What fills all
    that the transport takes is left without an envelope; what is larger than that, in another dialect, is cut.

    Returns:
        The body, and its content type.
    """
    slim = replace(letter, failures=tuple(replace(each, trace="") for each in letter.failures))
    for each, by in ((letter, codec), (slim, codec), (slim, MESSAGEPACK)):
        body = by.encode_dead_letter(each)
        if len(body) <= most_bytes:
            return body, by.content_type
    last = tuple(replace(each, message=each.message[:_MESSAGE_MOST], earlier=()) for each in slim.failures[-1:])
    least = DeadLetter(
        electron_id=letter.electron_id,
        reason=letter.reason,
        body=letter.body,
        content_type=letter.content_type,
        atom_id=letter.atom_id,
        route=letter.route,
    )
    for each in (replace(slim, failures=last), least):
        body = MESSAGEPACK.encode_dead_letter(each)
        if len(body) <= most_bytes:
            return body, MESSAGEPACK.content_type
    if len(letter.body) <= most_bytes:
        return letter.body, letter.content_type
    empty = replace(least, body=b"")
    room = most_bytes - len(MESSAGEPACK.encode_dead_letter(empty)) - _LENGTH_BYTES
    return MESSAGEPACK.encode_dead_letter(replace(empty, body=letter.body[: max(0, room)])), MESSAGEPACK.content_type
