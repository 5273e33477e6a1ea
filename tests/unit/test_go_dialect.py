"""The Go dialect, held against what the Go original writes and reads."""

from __future__ import annotations

import base64
import binascii
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw, structs

from atomizer.codec import GO, Unknown
from atomizer.electron import JSON, RAW, Electron
from atomizer.errors import Malformed
from atomizer.failure import Failure
from atomizer.properties import Progress, Properties

WIRE = Path(__file__).parent.parent / "wire"
VECTORS: dict[str, list[dict[str, Any]]] = {
    name: vectors
    for name, vectors in json.loads((WIRE / "go-engine-vectors.json").read_text()).items()
    if name != "about"
}
CONVERSATION = [json.loads(line) for line in (WIRE / "go-conversation.jsonl").read_text().splitlines()]

ELECTRON = Electron(id="i", atom_id="a.B", sender="s")
PROPERTIES = Properties(electron_id="i", atom_id="a.B", started_ns=1, ended_ns=1)


# What Go makes of bytes. It is written from the rules alone and shares nothing with the dialect's own code.


def members_as_go_reads_them(wire: bytes) -> dict[str, bytes]:
    """Read an object as Go does: keys whatever their case, the last one counts, null is an object without keys."""
    members = msgspec.json.decode(wire, type=dict[str, Raw] | None) or {}
    return {key.lower(): bytes(raw) for key, raw in members.items()}


def electron_as_go_reads_it(wire: bytes) -> dict[str, Any]:
    """Say what a Go node takes an electron for, in the words of the vectors."""
    members = members_as_go_reads_them(wire)
    ids = {name: json.loads(members.get(name.replace("_", ""), b'""')) for name in ("sender_id", "id", "atom_id")}
    payload = members.get("payload", b"")
    with suppress(binascii.Error):  # then the text itself is the payload
        payload = base64.b64decode(payload.strip(b'"'), validate=True)
    timeout = json.loads(members.get("timeout", b"null"))
    if not isinstance(timeout, int | None):
        raise TypeError(timeout)
    encoded = base64.b64encode(payload).decode()
    return {**ids, "timeout_ns": timeout, "payload_base64": encoded, "valid": all(ids.values())}


def properties_as_go_reads_them(wire: bytes) -> dict[str, Any]:
    """Say what a Go node takes properties for, in the words of the vectors."""
    members = members_as_go_reads_them(wire)
    start, end, error = (json.loads(members.get(key, b"null")) for key in ("starttime", "endtime", "error"))
    return {
        "electron_id": json.loads(members.get("electronid", b'""')),
        "atom_id": json.loads(members.get("atomid", b'""')),
        "start": datetime.fromisoformat(start),
        "end": datetime.fromisoformat(end),
        "error_text": None if error is None else error_as_go_tells_it(base64.b64decode(error, validate=True).decode()),
        "result_base64": base64.b64encode(members.get("result", b"")).decode(),
    }


def error_as_go_tells_it(text: str) -> str:
    """Render an error object; any other text stands for itself."""
    try:
        error = json.loads(text)
    except ValueError:
        return text
    if not isinstance(error, dict) or error.get("internal") is not None:
        return text
    event = error["event"]
    ids = {"cid": event["conductorID"], "aid": event["atomID"], "eid": event["electronID"]}
    where = " | ".join(f"{name}:{value}" for name, value in ids.items() if value)
    return f"atomizer error [{where}] {event['message']}"


def name_of(vector: dict[str, Any]) -> str:
    """Name a case after its vector."""
    return str(vector.get("name") or vector["wire"])


def is_refused(vector: dict[str, Any]) -> bool:
    """Whether Go refuses what it should read."""
    return "error" in vector["go_reads"]


def expected_electron(value: dict[str, Any], payload: bytes, content_type: str) -> Electron:
    """Make the electron that a vector speaks of."""
    timeout = value.get("timeout_ns")
    return Electron(
        id=value["id"],
        atom_id=value["atom_id"],
        sender=value["sender_id"],
        payload=payload,
        content_type=content_type,
        limit=None if timeout is None else timeout / 1e9,
    )


# Go's bytes, read by us.


@pytest.mark.parametrize("vector", [v for v in VECTORS["electron_read"] if not is_refused(v)], ids=name_of)
def test_electron_is_read_as_go_reads_it(vector: dict[str, Any]) -> None:
    """Whatever Go takes for an electron is the same electron to us; without an id or atom id it is malformed."""
    reads = vector["go_reads"]
    payload = base64.b64decode(reads["payload_base64"])

    try:
        electron = GO.decode_electron(vector["wire"].encode())
    except Malformed as error:
        assert (error.path, reads["id"]) == ("$.id", "")
        return

    expected = expected_electron(reads, payload, electron.content_type)
    assert structs.replace(electron, copy_state=None) == expected
    assert electron.copy_state is (True if "copystate" in vector["wire"] else None)


@pytest.mark.parametrize("vector", [v for v in VECTORS["electron_read"] if is_refused(v)], ids=name_of)
def test_electron_that_go_refuses_is_malformed(vector: dict[str, Any]) -> None:
    """What Go cannot read is refused here too."""
    with pytest.raises(Malformed) as refused:
        GO.decode_electron(vector["wire"].encode())

    assert refused.value.path == ("$.timeout" if "timeout" in vector["wire"] else "$")


@pytest.mark.parametrize("vector", [v for v in VECTORS["properties_read"] if not is_refused(v)], ids=name_of)
def test_properties_are_read_as_go_reads_them(vector: dict[str, Any]) -> None:
    """Times, result and the text of the error are what Go makes of them."""
    reads = vector["go_reads"]

    properties = GO.decode_reply(vector["wire"].encode())

    assert isinstance(properties, Properties)
    assert (properties.electron_id, properties.atom_id) == (reads["electron_id"], reads["atom_id"])
    assert [as_text(properties.started_ns), as_text(properties.ended_ns)] == [reads["start"], reads["end"]]
    assert properties.result == base64.b64decode(reads["result_base64"])
    assert (properties.failure and properties.failure.message) == reads["error_text"]


def as_text(moment_ns: int) -> str:
    """Write a moment as the vectors have it."""
    seconds, nanoseconds = divmod(moment_ns, 10**9)
    fraction = f".{nanoseconds:09}" if nanoseconds else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


@pytest.mark.parametrize("vector", [v for v in VECTORS["properties_read"] if is_refused(v)], ids=name_of)
def test_properties_that_go_refuses_are_malformed(vector: dict[str, Any]) -> None:
    """What Go cannot read is refused here too, and the path says which key it was."""
    with pytest.raises(Malformed) as refused:
        GO.decode_reply(vector["wire"].encode())

    assert refused.value.path == ("$.starttime" if "bad" in vector["wire"] else "$.error")


@pytest.mark.parametrize("vector", [v for v in VECTORS["electron_emitted"] if v["go_emits"]], ids=name_of)
def test_electron_written_by_go_is_read_by_its_rule(vector: dict[str, Any]) -> None:
    """What Go writes means to us what it means to Go, which for a number or a text is not what its sender had."""
    wire = vector["go_emits"].encode()
    payload = base64.b64decode(electron_as_go_reads_it(wire)["payload_base64"])

    electron = GO.decode_electron(wire)

    assert electron == expected_electron(vector["go_value"], payload, electron.content_type)
    assert (payload == vector["go_value"].get("payload", "").encode()) == (vector["name"] not in {"e-num", "e-html"})


RESULT_BY_NAME = {"p-ok": b'{"value":1}', "p-tz": b"3.14", "p-err": b"", "p-err2": b""}
READ_BY_GO = {"p-ok": b'{"value":1}', "p-tz": b"3.14", "p-err": b"null", "p-err2": b"null", "p-raw": b'"bm90IGpzb24="'}
MESSAGE_BY_NAME = {"p-err": "boom", "p-err2": "atomizer error [cid:amqp.rabbitmq | aid:a.B | eid:i] m"}


@pytest.mark.parametrize("vector", [v for v in VECTORS["properties_emitted"] if v["go_emits"]], ids=name_of)
def test_properties_written_by_go_are_read_by_its_rule(vector: dict[str, Any]) -> None:
    """Result, error and times of what Go writes, in any zone."""
    name = vector["name"]
    start = json.loads(vector["go_emits"])["starttime"]

    properties = GO.decode_reply(vector["go_emits"].encode())

    assert isinstance(properties, Properties)
    assert properties.result == RESULT_BY_NAME[name]
    assert (properties.failure and properties.failure.message) == MESSAGE_BY_NAME.get(name)
    assert abs(properties.started - datetime.fromisoformat(start)).total_seconds() < 2e-6


# Our bytes, read by Go.


@pytest.mark.parametrize("vector", VECTORS["electron_read"], ids=name_of)
def test_reader_of_go_in_these_tests_reads_electrons_as_go_does(vector: dict[str, Any]) -> None:
    """The rule that the tests below apply is the one that Go's own results bear out."""
    try:
        read = electron_as_go_reads_it(vector["wire"].encode())
    except (ValueError, TypeError):
        read = {"error": True}

    assert read == vector["go_reads"]


@pytest.mark.parametrize("vector", VECTORS["properties_read"], ids=name_of)
def test_reader_of_go_in_these_tests_reads_properties_as_go_does(vector: dict[str, Any]) -> None:
    """The rule that the tests below apply is the one that Go's own results bear out."""
    expected = vector["go_reads"]
    if not is_refused(vector):
        expected = expected | {key: datetime.fromisoformat(expected[key]) for key in ("start", "end")}
    try:
        read = properties_as_go_reads_them(vector["wire"].encode())
    except ValueError:
        read = {"error": True}

    assert read == expected


@pytest.mark.parametrize("vector", VECTORS["electron_emitted"], ids=name_of)
def test_electron_written_by_us_means_the_same_to_go(vector: dict[str, Any]) -> None:
    """Go reads back exactly our bytes, also where it could not have sent them itself."""
    value = vector["go_value"]
    payload = value.get("payload", "").encode()
    electron = expected_electron(value, payload, JSON)

    wire = GO.encode_electron(electron)

    read = electron_as_go_reads_it(wire)
    assert base64.b64decode(read.pop("payload_base64")) == payload
    assert read == {
        "sender_id": value["sender_id"],
        "id": value["id"],
        "atom_id": value["atom_id"],
        "timeout_ns": value.get("timeout_ns"),
        "valid": True,
    }
    assert GO.decode_electron(wire) == electron


@pytest.mark.parametrize("name", ["e-min", "e-json", "e-timeout"])
def test_electron_is_written_byte_for_byte_as_go_writes_it(name: str) -> None:
    """Where Go's own writing can be read back, ours is the same."""
    wire = next(vector["go_emits"] for vector in VECTORS["electron_emitted"] if vector["name"] == name).encode()

    assert GO.encode_electron(GO.decode_electron(wire)) == wire


@pytest.mark.parametrize("vector", VECTORS["properties_emitted"], ids=name_of)
def test_properties_written_by_us_mean_the_same_to_go(vector: dict[str, Any]) -> None:
    """Go reads back the ids, the times, a result that is JSON, and the text of the error."""
    name = vector["name"]
    message = MESSAGE_BY_NAME.get(name)
    result = RESULT_BY_NAME.get(name, b"not json")
    failure = Failure(kind="failed", message=message) if message else None
    properties = structs.replace(PROPERTIES, started_ns=1_615_734_566_535_897_932, result=result, failure=failure)

    wire = GO.encode_reply(properties)

    read = properties_as_go_reads_them(wire)
    assert (read["electron_id"], read["atom_id"], read["error_text"]) == ("i", "a.B", message)
    assert read["start"] == datetime(2021, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
    assert base64.b64decode(read["result_base64"]) == READ_BY_GO[name]
    assert GO.decode_reply(wire) == properties


@pytest.mark.parametrize("name", ["p-ok", "p-err"])
def test_properties_are_written_byte_for_byte_as_go_writes_them(name: str) -> None:
    """To the nanosecond, where the moment is in UTC and the error a plain text."""
    wire = next(vector["go_emits"] for vector in VECTORS["properties_emitted"] if vector["name"] == name).encode()

    assert GO.encode_reply(properties_of(wire)) == wire


def properties_of(wire: bytes) -> Properties:
    """Read properties, and be sure that they are some."""
    properties = GO.decode_reply(wire)
    assert isinstance(properties, Properties)
    return properties


@pytest.mark.parametrize("line", CONVERSATION, ids=lambda line: line["queue"][:8])
def test_recorded_conversation_is_read_and_written_again(line: dict[str, Any]) -> None:
    """Every body of a Go client and a Go node comes out of our reader and writer as it went in."""
    wire = line["body"].encode()

    is_request = line["queue"] == "atomizer"
    again = GO.encode_electron(GO.decode_electron(wire)) if is_request else GO.encode_reply(properties_of(wire))

    assert again == wire
    assert GO.content_type == line["properties"]["content_type"]


def test_recorded_conversation_pairs_electrons_and_properties() -> None:
    """Every electron is answered at the queue that its sender names."""
    bodies = [(line["queue"], line["body"].encode()) for line in CONVERSATION]

    asked = {GO.decode_electron(body) for queue, body in bodies if queue == "atomizer"}
    answered = {(properties_of(body).electron_id, queue) for queue, body in bodies if queue != "atomizer"}

    assert {(electron.id, electron.sender) for electron in asked} == answered


# Keys.


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ('{"ID":"i","AtomID":"a","SENDERID":"s"}', "i"),
        ('{"id":"first","ID":"last","atomid":"a"}', "last"),
        ('{"ID":"first","id":"last","atomid":"a"}', "last"),
        ('{"id":"first","id":"last","atomid":"a"}', "last"),
        ('{"id":"i","atomid":"a","unheard":{"of":[1]}}', "i"),
        ('{"\\u0131d":"dotless","id":"i","atomid":"a"}', "i"),
    ],
)
def test_electron_keys_are_read_whatever_their_case(wire: str, expected: str) -> None:
    """Go folds the case of keys, and the last of several counts; unknown ones are passed over."""
    assert GO.decode_electron(wire.encode()).id == expected


def test_keys_fold_as_go_folds_them() -> None:
    """The long s is an s, as in Go; it is the one letter beyond ASCII that some key of ours has a use for."""
    wire = '{"id":"i","atomid":"a","copy\N{LATIN SMALL LETTER LONG S}tate":true}'

    assert GO.decode_electron(wire.encode()).copy_state is True


def test_properties_keys_are_read_whatever_their_case() -> None:
    """Also those that Go writes in camel case."""
    wire = b'{"ELECTRONID":"i","atomid":"a.B","StartTime":"1970-01-01T00:00:00.000000001Z","Result":1}'

    assert properties_of(wire) == structs.replace(PROPERTIES, ended_ns=0, result=b"1")


def test_our_own_keys_are_none_of_those_of_go() -> None:
    """However Go folds them, so that it passes over all of them; and they are lower-case."""
    electron = structs.replace(
        ELECTRON, payload=b"1", deadline_ns=1, budget=1.0, limit=2.0, copy_state=True, attempt=2, parent="p", trace="t",
        reply=False, soft_limit=1.5,
    )  # fmt: skip
    failure = Failure(kind="timed_out", message="m", node="n")
    answers = [
        structs.replace(PROPERTIES, failure=failure, attempt=2, node="n"),
        structs.replace(PROPERTIES, result=b" 1 ", content_type="text/plain"),
        structs.replace(PROPERTIES, result=b"no JSON"),
    ]

    electron_keys = set(json.loads(GO.encode_electron(electron)))
    answer_keys = {key for answer in answers for key in json.loads(GO.encode_reply(answer))}

    ours = electron_keys - {"senderid", "id", "atomid", "timeout", "copystate", "payload"}
    ours |= answer_keys - {"electronId", "atomId", "starttime", "endtime", "error", "result"}
    assert ours == {
        "attempt", "budget", "contenttype", "deadline", "failure", "limit", "node", "parent", "reply", "resultencoding",
        "resultpadding", "softlimit", "trace",
    }  # fmt: skip


# Payloads and results.


@pytest.mark.parametrize(
    ("payload", "content_type", "written"),
    [
        (b'{"a": [1]}', JSON, b'{"a": [1]}'),
        (b"[1,2]", RAW, b"[1,2]"),
        (b"1234", JSON, b'"MTIzNA=="'),
        (b"true", JSON, b'"dHJ1ZQ=="'),
        (b"null", JSON, b'"bnVsbA=="'),
        (b'"abcd"', JSON, b'"ImFiY2Qi"'),
        (b" {}", JSON, b'"IHt9"'),
        (b"{} ", JSON, b'"e30g"'),
        (b"{", JSON, b'"ew=="'),
        (b'["\xff"]', RAW, b'"WyL/Il0="'),
        (b"\x00\xff", RAW, b'"AP8="'),
        (b"[" * 32 + b"]" * 32, JSON, b'"' + base64.b64encode(b"[" * 32 + b"]" * 32) + b'"'),
    ],
)
def test_payload_arrives_at_go_byte_for_byte(payload: bytes, content_type: str, written: bytes) -> None:
    """Objects and arrays travel as they are; whatever else as base64, which Go decodes to the same bytes."""
    electron = structs.replace(ELECTRON, payload=payload, content_type=content_type)

    wire = GO.encode_electron(electron)

    assert members_as_go_reads_them(wire)["payload"] == written
    assert electron_as_go_reads_it(wire)["payload_base64"] == base64.b64encode(payload).decode()
    assert GO.decode_electron(wire) == electron


@pytest.mark.parametrize("content_type", [JSON, RAW, "text/plain"])
def test_empty_payload_is_left_out(content_type: str) -> None:
    """As Go does it; the content type is kept all the same."""
    electron = structs.replace(ELECTRON, content_type=content_type)

    wire = GO.encode_electron(electron)

    assert "payload" not in members_as_go_reads_them(wire)
    assert GO.decode_electron(wire) == electron


@pytest.mark.parametrize(
    ("payload", "content_type"),
    [(b'"aGVsbG8="', RAW), (b"1234", RAW), (b'"hello"', JSON), (b"12", JSON), (b'""', JSON)],
)
def test_payload_without_content_type_is_raw_when_it_was_base64(payload: bytes, content_type: str) -> None:
    """Go names no type: what its rule decodes is bytes, the rest is JSON."""
    electron = GO.decode_electron(b'{"id":"i","atomid":"a","payload":%b}' % payload)

    assert electron.content_type == content_type


@pytest.mark.parametrize(
    ("result", "content_type", "written"),
    [
        (b'{"value":1}', JSON, b'{"value":1}'),
        (b"1234", JSON, b"1234"),
        (b'"abcd"', RAW, b'"abcd"'),
        (b"null", JSON, b"null"),
        (b"42\n", RAW, b"42"),
        (b" \t[1] \r\n", JSON, b"[1]"),
        (b"not json", JSON, b'"bm90IGpzb24="'),
        (b"  ", RAW, b'"ICA="'),
        (b"\x00\xff", RAW, b'"AP8="'),
    ],
)
def test_result_that_is_json_is_json_to_go(result: bytes, content_type: str, written: bytes) -> None:
    """Anything else travels as base64, and the white space around JSON beside it: we read back the same bytes."""
    properties = structs.replace(PROPERTIES, result=result, content_type=content_type)

    wire = GO.encode_reply(properties)

    assert members_as_go_reads_them(wire)["result"] == written
    assert properties_of(wire) == properties


def test_result_that_claims_base64_and_is_none_is_malformed() -> None:
    """Our own key is taken at its word."""
    with pytest.raises(Malformed) as refused:
        GO.decode_reply(b'{"electronId":"i","result":{"a":1},"resultencoding":"base64"}')

    assert refused.value.path == "$.result"


# Time.


@pytest.mark.parametrize(
    ("limit", "budget", "timeout"),
    [(1.5, None, 1_500_000_000), (None, 2.0, 2_000_000_000), (1.5, 0.25, 250_000_000), (1e10, None, 2**63 - 1)],
)
def test_timeout_is_the_limit_or_the_time_left(limit: float | None, budget: float | None, timeout: int) -> None:
    """Go knows one time only: the smaller one. We read back both."""
    electron = structs.replace(ELECTRON, limit=limit, budget=budget)

    wire = GO.encode_electron(electron)

    assert electron_as_go_reads_it(wire)["timeout_ns"] == timeout
    assert GO.decode_electron(wire) == electron


def test_timeout_below_nothing_is_over_at_once() -> None:
    """Go's context is done before it begins, and so is our attempt."""
    assert GO.decode_electron(b'{"id":"i","atomid":"a","timeout":-5}').limit == 0.0


@pytest.mark.parametrize(
    ("text", "moment_ns"),
    [
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:00:00.5-01:00", 500_000_000),
        ("1970-01-01T00:00:00.1234567899Z", 123_456_789),
        ("0001-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59-23:59", 2**63 - 1),
    ],
)
def test_time_is_read_to_the_nanosecond(text: str, moment_ns: int) -> None:
    """In any zone. What is out of range is moved to its edge: Go's zero time is our 0."""
    wire = b'{"electronId":"i","starttime":"%b"}' % text.encode()

    assert properties_of(wire).started_ns == moment_ns


@pytest.mark.parametrize(
    "text", ["", "2021-03-14", "2021-03-14 15:09:26Z", "2021-13-14T15:09:26Z", "2021-03-14T15:09:26"]
)
def test_time_that_is_none_of_rfc_3339_is_malformed(text: str) -> None:
    """A time without zone, without time or without T is none."""
    with pytest.raises(Malformed) as refused:
        GO.decode_reply(b'{"electronId":"i","endtime":"%b"}' % text.encode())

    assert refused.value.path == "$.endtime"


# Failures.


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (Failure(kind="failed", message="boom"), "boom"),
        (Failure(kind="failed", type="builtins.KeyError", message="'x'"), "builtins.KeyError: 'x'"),
        (Failure(kind="cancelled"), "cancelled"),
        (Failure(kind="failed", message="nullable"), "nullable"),
        (Failure(kind="failed", message="null"), "atomizer error [aid:a.B | eid:i] null"),
        (Failure(kind="failed", message='{"event":1}'), 'atomizer error [aid:a.B | eid:i] {"event":1}'),
        (Failure(kind="timed_out", message="é", trace="t", attempts=2, node="n", ending="killed"), "é"),
    ],
)
def test_failure_is_a_text_to_go_and_whole_to_us(failure: Failure, told: str) -> None:
    """A text that Go would take for an error object of its own, or choke on, is put into one."""
    properties = structs.replace(PROPERTIES, failure=failure)

    wire = GO.encode_reply(properties)

    assert properties_as_go_reads_them(wire)["error_text"] == told
    assert properties_of(wire) == properties


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"event":{"message":"m"},"internal":null}', "atomizer error m"),
        ('{"event":{"message":"","electronID":"e"}}', "atomizer error [eid:e]"),
        ('{"event":{"message":"m"},"internal":{}}', "atomizer error m"),
        ('{"event":{"message":"m"},"internal":"inner"}', "atomizer error m | internal: (inner)"),
        (
            '{"event":{"message":"m"},"internal":{"event":{"message":"n"},"internal":null}}',
            "atomizer error m | internal: (atomizer error n)",
        ),
        ('{"event":3}', '{"event":3}'),
        ('{"event":null}', '{"event":null}'),
        ("null", "null"),
        ("", ""),
        ("[" * 2000, "[" * 2000),
    ],
)
def test_error_of_go_is_told_as_go_tells_it(text: str, message: str) -> None:
    """An error object by its event and what is inside; any other text as it stands."""
    wire = b'{"electronId":"i","error":"%b"}' % base64.b64encode(text.encode())

    assert properties_of(wire).failure == Failure(kind="failed", message=message)


def test_error_that_is_no_text_is_told_as_far_as_it_goes() -> None:
    """Bytes that are not UTF-8 spoil themselves, not the answer."""
    wire = b'{"electronId":"i","error":"%b"}' % base64.b64encode(b"bad \xff byte")

    assert properties_of(wire).failure == Failure(kind="failed", message="bad \N{REPLACEMENT CHARACTER} byte")


# What Go does not know.


def test_progress_has_no_key_that_go_knows() -> None:
    """A Go client that finds progress among its answers reads an answer to nobody."""
    progress = Progress(electron_id="i", done=1.0)

    wire = GO.encode_reply(progress)

    assert not {"electronid", "atomid", "error", "result"} & set(members_as_go_reads_them(wire))
    assert GO.decode_reply(wire) == progress


def test_reply_of_an_unknown_kind_is_named() -> None:
    """A newer node of ours may send other replies, under the key that tells them from Go's properties."""
    assert GO.decode_reply(b'{"reply":"partial","electron_id":"i"}') == Unknown("partial")


def test_native_properties_are_read_too() -> None:
    """Whoever writes native JSON under the bare content type is understood by its tag."""
    assert GO.decode_reply(b'{"reply":"properties","electron_id":"i","result":1}') == Properties(
        electron_id="i", result=b"1"
    )
