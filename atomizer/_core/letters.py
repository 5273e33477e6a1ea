"""Letters: what is written on the envelope of an electron that is given up on, and how it is made to fit. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..codec import MESSAGEPACK
from ..envelope import UNCLAIMED, DeadLetter

if TYPE_CHECKING:
    from ..codec import Codec
    from ..conductor import Frame
    from ..properties import Properties
    from .flight import Flight

__all__ = ("letter_of", "to_fit", "unclaimed_letter")

_ENVELOPE_BYTES = 4_096
"""Room for what is written on an envelope whose body was cut."""


def letter_of(flight: Flight, outcome: Properties) -> DeadLetter:
    """Put an electron as it came into its envelope, with everything that went wrong."""
    delivery, electron, failure = flight.delivery, flight.electron, outcome.failure
    assert failure is not None  # noqa: S101  # what has a result is not given up on
    letter = DeadLetter(
        electron_id=delivery.id,
        reason=failure.kind,
        body=delivery.body,
        content_type=delivery.content_type,
        route=delivery.route.name,
        conductor=flight.link.name,
        reply_to=delivery.reply_to,
        key=delivery.key,
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
        failures=(*electron.failures, failure),
        trace=electron.trace,
        replayed=electron.replayed,
    )


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

    What is left out first is what people can do without: tracebacks. JSON makes bytes a third longer, so a letter that
    is too large in it is written as MessagePack. A body that has no room even then is cut: it was over the limit of
    electrons, and nobody could run it.

    Returns:
        The body, and its content type.
    """
    slim = replace(letter, failures=tuple(replace(each, trace="") for each in letter.failures))
    for each, by in ((letter, codec), (slim, codec), (slim, MESSAGEPACK)):
        body = by.encode_dead_letter(each)
        if len(body) <= most_bytes:
            return body, by.content_type
    last = tuple(replace(each, message=each.message[:1_000], earlier=()) for each in slim.failures[-1:])
    cut = replace(slim, body=letter.body[: max(0, most_bytes - _ENVELOPE_BYTES)], failures=last)
    return MESSAGEPACK.encode_dead_letter(cut), MESSAGEPACK.content_type
