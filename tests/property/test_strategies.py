"""The strategies of the kit draw every field, nothing that could not travel, and what a test says itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import structs

from atomizer import Failure, Options, Properties
from atomizer.codec import CODECS, decode_value, encode_value
from atomizer.electron import JSON, RAW, Electron
from atomizer.envelope import DeadLetter
from atomizer.properties import Progress
from atomizer.testing import strategies

if TYPE_CHECKING:
    from atomizer.codec import Codec
    from atomizer.payload import Payload

EVERY_CODEC = st.sampled_from(list(CODECS.values()))
DRAWN: dict[type[msgspec.Struct], st.SearchStrategy[Any]] = {
    Electron: strategies.electrons(),
    Properties: strategies.properties(),
    Failure: strategies.failures(),
    Progress: strategies.progress(),
    DeadLetter: strategies.dead_letters(),
    Options: strategies.options(),
}


@pytest.mark.parametrize("struct", DRAWN, ids=lambda struct: struct.__name__)
def test_every_field_is_drawn(struct: type[msgspec.Struct]) -> None:
    """No field is the same in all examples: one that somebody adds is drawn too, or its kind has no strategy yet."""
    assert same_in_all(DRAWN[struct]) == []


def test_every_field_of_what_an_electron_carries_of_having_been_tried_is_drawn() -> None:
    """Structs in a struct are drawn to the last field."""
    trials = DRAWN[Electron].map(lambda electron: electron.trials).filter(lambda trials: trials is not None)

    assert same_in_all(trials) == []
    assert same_in_all(trials.map(lambda trials: trials.mode).filter(lambda mode: mode is not None)) == []


def same_in_all(drawn: st.SearchStrategy[Any]) -> list[str]:
    """Name the fields that are the same in all of many examples."""
    seen: dict[str, set[str]] = {}

    @settings(max_examples=200, phases=[Phase.generate], suppress_health_check=[HealthCheck.filter_too_much])
    @given(drawn)
    def look(example: msgspec.Struct) -> None:
        for name, value in structs.asdict(example).items():
            seen.setdefault(name, set()).add(repr(value))

    look()
    return [name for name, values in seen.items() if len(values) == 1]


@given(EVERY_CODEC, DRAWN[Electron])
def test_electron_travels_by_every_codec(codec: Codec, electron: Electron) -> None:
    """Field for field."""
    assert codec.decode_electron(codec.encode_electron(electron)) == electron


@given(EVERY_CODEC, DRAWN[Properties] | DRAWN[Progress])
def test_reply_travels_by_every_codec(codec: Codec, reply: Properties | Progress) -> None:
    """Field for field."""
    assert codec.decode_reply(codec.encode_reply(reply)) == reply


@given(EVERY_CODEC, DRAWN[Failure])
def test_failure_travels_by_every_codec(codec: Codec, failure: Failure) -> None:
    """In the properties that it is told by."""
    answer = Properties(electron_id="e1", failure=failure)

    assert codec.decode_reply(codec.encode_reply(answer)) == answer


@given(EVERY_CODEC, DRAWN[DeadLetter])
def test_dead_letter_travels_by_every_codec(codec: Codec, letter: DeadLetter) -> None:
    """Field for field."""
    assert codec.decode_dead_letter(codec.encode_dead_letter(letter)) == letter


@given(strategies.payloads(), DRAWN[Electron], strategies.properties(failed=False))
def test_payload_is_what_its_content_type_says(payload: Payload, electron: Electron, answer: Properties) -> None:
    """What is called JSON is JSON, or empty, by itself and in an electron or properties."""
    for body, content_type in (
        (payload.body, payload.content_type),
        (electron.payload, electron.content_type),
        (answer.result, answer.content_type),
    ):
        if content_type == JSON and body:
            msgspec.json.decode(body)


@given(strategies.properties(failed=True), strategies.properties(failed=False))
def test_properties_fail_as_they_are_asked_to(failed: Properties, answered: Properties) -> None:
    """With a failure there is no result."""
    assert failed.failure is not None
    assert failed.result == b""
    assert answered.failure is None


@given(strategies.json_values())
def test_json_value_arrives_as_it_was(value: Any) -> None:
    """There and back."""
    assert decode_value(msgspec.json.Decoder(Any), encode_value(value)) == value


@given(strategies.options(limit=st.just(2.0), soft_limit=st.sampled_from((1.0, 2.0, 3.0))))
def test_soft_limit_that_is_never_reached_is_left_out(options: Options) -> None:
    """Whatever else is drawn, it makes options."""
    assert options.limit == 2.0
    assert options.soft_limit in (None, 1.0)


@given(strategies.electrons(atom_id=st.just("shop.charge"), payload=st.just(b"raw"), content_type=st.just(RAW)))
def test_field_is_drawn_as_a_test_says(electron: Electron) -> None:
    """Whatever is given counts."""
    assert (electron.atom_id, electron.payload, electron.content_type) == ("shop.charge", b"raw", RAW)


@given(strategies.electrons(content_type=st.just("text/plain")))
def test_content_type_is_drawn_as_a_test_says(electron: Electron) -> None:
    """It counts more than what a payload brings with it."""
    assert electron.content_type == "text/plain"


def test_field_that_does_not_exist_is_refused() -> None:
    """At once, with those that do."""
    with pytest.raises(TypeError, match="Electron has no field 'atom'; it has id, atom_id, sender"):
        strategies.electrons(atom=st.just("shop.charge"))
