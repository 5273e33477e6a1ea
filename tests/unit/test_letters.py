"""The envelope of what is given up on always fits the transport."""

from __future__ import annotations

import pytest

from atomizer import DeadLetter, Failure
from atomizer._core.letters import to_fit
from atomizer.codec import MESSAGEPACK, NATIVE_JSON, Codec, codec_for

TRACED = Failure(kind="failed", message="no", trace="line\n" * 1_000)


def letter(body: bytes, *failures: Failure) -> DeadLetter:
    """A letter with a body."""
    return DeadLetter(electron_id="e", reason="failed", body=body, failures=failures)


def fitted(codec: Codec, most_bytes: int, whole: DeadLetter) -> DeadLetter:
    """Write a letter so that it fits, and read it again."""
    body, content_type = to_fit(whole, codec, most_bytes)
    assert len(body) <= most_bytes
    return codec_for(content_type).decode_dead_letter(body)


@pytest.mark.parametrize("codec", [MESSAGEPACK, NATIVE_JSON])
def test_a_letter_that_fits_is_written_whole(codec: Codec) -> None:
    """In the conductor's own codec."""
    whole = letter(b"x" * 1_000, TRACED)

    assert fitted(codec, 100_000, whole) == whole


@pytest.mark.parametrize("codec", [MESSAGEPACK, NATIVE_JSON])
def test_tracebacks_are_left_out_before_anything_else(codec: Codec) -> None:
    """The electron is what must be kept."""
    small = fitted(codec, 3_000, letter(b"x" * 1_000, TRACED, TRACED))

    assert small.body == b"x" * 1_000
    assert [(each.message, each.trace) for each in small.failures] == [("no", "")] * 2


def test_a_letter_too_large_as_json_is_written_as_messagepack() -> None:
    """There bytes are no larger than they are."""
    whole = letter(b"\xff" * 9_000)

    assert fitted(NATIVE_JSON, 10_000, whole) == whole


def test_a_body_without_room_is_cut() -> None:
    """It was over the limit of electrons: nobody could have run it."""
    cut = fitted(MESSAGEPACK, 10_000, letter(b"x" * 20_000, TRACED))

    assert 9_000 < len(cut.body) < 10_000
    assert set(cut.body) == {ord("x")}


def test_an_electron_that_leaves_no_room_for_an_envelope_lies_there_as_it_came() -> None:
    """It can still be sent again."""
    whole = letter(b"x" * 9_990, TRACED)

    assert to_fit(whole, MESSAGEPACK, 10_000) == (whole.body, whole.content_type)
