"""
Readers against bytes that somebody has tampered with: `Malformed` or a value, in no time, and nothing else.

60,000 mutated bodies in each run, the same ones every time. `ATOMIZER_FUZZ=full` makes it 3,000,000, in some minutes.
"""

from __future__ import annotations

import base64
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from msgspec import structs

from atomizer.codec import GO, MESSAGEPACK, NATIVE_JSON, decode_value, encode_value
from atomizer.control import Cancel
from atomizer.electron import RAW, Electron
from atomizer.errors import Malformed
from atomizer.events import ElectronFailed, ElectronProgressed, ElectronSent, UnknownEvent
from atomizer.failure import Failure
from atomizer.properties import Progress, Properties

CHUNK = 60_000
CHUNKS = 50 if os.environ.get("ATOMIZER_FUZZ") == "full" else 1
SLOWEST_SECONDS = 0.05

ELECTRONS = (
    Electron(id="i", atom_id="a.B"),
    Electron(
        id="host-1-7", atom_id="a.B", sender="s", payload=b'{"n":[1,2.5,"x",null,{"y":true}]}', limit=1.5, budget=0.5
    ),
    Electron(id="i", atom_id="a.B", payload=bytes(range(256)), content_type=RAW, deadline_ns=2**62, copy_state=True),
    Electron(id="i", atom_id="a.B", payload=b" nope", attempt=3, parent="p", trace="00-0af7-b7ad-01", reply=False),
)
REPLIES: tuple[Properties | Progress, ...] = (
    Properties(
        electron_id="i", atom_id="a.B", started_ns=10**18, ended_ns=10**18 + 1, result=b'[1,{"a":"\\u00e9"}]', node="n"
    ),
    Properties(electron_id="i", result=b"\x00\xff\x91\x92", content_type=RAW),
    Properties(electron_id="i", result=b" 42\n", content_type=RAW),
    Properties(
        electron_id="i", failure=Failure(kind="failed", type="builtins.KeyError", message="'é'", trace="t", attempts=2)
    ),
    Progress(electron_id="i", done=0.5, total=2.0, note="half"),
)
EVENTS = (
    ElectronSent(node="n", seq=1, at_ns=5, electron_id="i", atom_id="a.B", conductor="memory", attempt=1),
    ElectronFailed(error="boom", failure="failed"),
    ElectronProgressed(done=0.5, total=1.0),
    UnknownEvent(unknown_kind="newer"),
)
GO_ERROR = base64.b64encode(
    b'{"event":{"message":"m","electronID":"i","atomID":"a","conductorID":"c"},"internal":{"event":{}}}'
)
FROM_GO = (
    b'{"electronId":"i","AtomID":"a.B","starttime":"2021-03-14T15:09:26.535-06:00","error":"%b","result":null}'
    % GO_ERROR,
    b'{"SENDERID":"s","Id":"i","atomid":"a.B","timeout":1500000000,"copystate":true,"payload":"aGVsbG8="}',
)
NEWER_ELECTRON = msgspec.msgpack.encode([*structs.astuple(ELECTRONS[1]), "more", {"of": [1, {}]}])
NEWER_REPLIES = (
    msgspec.msgpack.encode(["properties", *structs.astuple(REPLIES[0]), [[]]]),
    msgspec.msgpack.encode(["partial", "i", {"part": [1]}]),
)
FRAGMENTS = (
    b"", b"\x00", b"\xff", b"\xc1", b'"', b"\\", b'\\"', b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"null",
    b"true", b"-", b".", b"e9", b"NaN", b"1e999", b"-0", b"0" * 30, b"9" * 400, b"9" * 5000, b"[" * 40, b"[" * 3000,
    b'{"a":' * 40, b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\x91" * 40, b"\x81" * 3000,
    b"\xcb\x7f\xf8" + bytes(6), b"\xcb\x7f\xf0" + bytes(6), b"\xcf" + b"\xff" * 8, b"\xd3\x80" + bytes(7),
    b"\xdd\xff\xff\xff\xff", b"\xdf\x7f\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01", b"\xd6\xff" + b"\xff" * 4, b"\xc7\x0c\xff" + b"\xff" * 12, b"unknown",
    b"properties", b"cancel", b"base64", b"id", b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59.999999999-23:59",
    b"====", b" " * 50,
)  # fmt: skip


@dataclass
class Point:
    x: list[int | float | str | bool | None]
    y: dict[str, Any]


class Narrow(msgspec.Struct, forbid_unknown_fields=True, tag="narrow"):
    x: tuple[int, float]
    y: dict[int, bytes]


VALUES: tuple[tuple[Any, tuple[Any, ...]], ...] = (
    (Any, (None, "text", {"x": [1, -2.5e-3, "é\n", None, True], "y": {"z": [[], {}]}})),
    (Point, (Point([1, -2.5e-3, "é\n", None, True], {"z": [[], {}]}),)),
    (Narrow, (Narrow((1, 2.5), {1: b"\x00"}),)),
    (list[Any], ([1, [2.5, {"a": None}], "x"],)),
)

Target = tuple[Callable[[bytes], object], tuple[bytes, ...]]


def targets() -> list[Target]:
    """List every reader with bodies that it can read."""
    found: list[Target] = []
    for codec in (MESSAGEPACK, NATIVE_JSON, GO):
        found += [
            (codec.decode_electron, tuple(codec.encode_electron(electron) for electron in ELECTRONS)),
            (codec.decode_reply, tuple(codec.encode_reply(reply) for reply in REPLIES)),
            (codec.decode_control, (codec.encode_control(Cancel(electron_id="i")),)),
            (codec.decode_events, (codec.encode_events(EVENTS), codec.encode_events(EVENTS * 9))),
        ]
    found += [(MESSAGEPACK.decode_electron, (NEWER_ELECTRON,)), (MESSAGEPACK.decode_reply, NEWER_REPLIES)]
    found += [(GO.decode_reply, FROM_GO[:1]), (GO.decode_electron, FROM_GO[1:])]
    found += [(reader_of(kind), tuple(map(encode_value, each))) for kind, each in VALUES]
    return found


def reader_of(kind: Any) -> Callable[[bytes], object]:
    """Return what reads a payload as an atom's own type."""
    decoder = msgspec.json.Decoder(kind)
    return lambda body: decode_value(decoder, body)


def mutated(chance: random.Random, body: bytes, others: tuple[bytes, ...]) -> bytes:
    """Do to a body what noise, a bad network card or somebody with a plan may do to it, once or a few times."""
    changed = bytearray(body)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(changed) + 1)
        until = min(len(changed), at + chance.choice((0, 1, 1, 2, 4, 16)))
        match chance.randrange(7):
            case 0:
                changed[at:until] = chance.randbytes(until - at)
            case 1:
                changed[at:until] = chance.choice(FRAGMENTS)
            case 2:
                changed[at:at] = chance.choice(FRAGMENTS)
            case 3:
                del changed[at : chance.choice((until, len(changed)))]
            case 4:
                changed[at:at] = changed[chance.randrange(len(changed) + 1) :][:64]
            case 5:
                other = chance.choice(others)
                changed[at:until] = other[chance.randrange(len(other)) :]
            case _:
                changed[at:until] = bytes(byte ^ (1 << chance.randrange(8)) for byte in changed[at:until])
    return bytes(changed)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_tampered_bytes_are_read_or_malformed(chunk: int) -> None:
    """Whatever is done to a body, its reader returns a value or says what is malformed, and does it at once."""
    chance = random.Random(chunk)
    readers = targets()
    bodies = tuple(body for _, each in readers for body in each)
    malformed = 0

    for number in range(CHUNK):
        read, seeds = readers[number % len(readers)]
        body = mutated(chance, chance.choice(seeds), bodies)
        began = time.thread_time()
        malformed += is_malformed(read, body)
        if time.thread_time() - began > SLOWEST_SECONDS:
            assert quickest(read, body) < SLOWEST_SECONDS, body

    assert CHUNK / 4 < malformed < CHUNK  # some must be so broken, some must not


def is_malformed(read: Callable[[bytes], object], body: bytes) -> bool:
    """Read a body, and allow for one error only."""
    try:
        read(body)
    except Malformed as error:
        assert error.path.startswith("$")
        assert error.reason
        return True
    except BaseException as error:
        raise AssertionError(f"{read} raised {error!r} for {body!r}") from error
    return False


def quickest(read: Callable[[bytes], object], body: bytes) -> float:
    """Time a reader again: a first time may have been a garbage collection's."""
    times: list[float] = []
    for _ in range(5):
        began = time.thread_time()
        is_malformed(read, body)
        times.append(time.thread_time() - began)
    return min(times)


@pytest.mark.parametrize("reader", range(len(targets())))
def test_body_that_ends_early_is_malformed(reader: int) -> None:
    """At every byte but the last."""
    read, seeds = targets()[reader]

    for body in seeds:
        read(body)
        for length in range(len(body)):
            with pytest.raises(Malformed):
                read(body[:length])


@pytest.mark.parametrize("reader", range(len(targets())))
@pytest.mark.parametrize("fragment", FRAGMENTS, ids=range(len(FRAGMENTS)))
def test_body_of_one_fragment_is_read_or_malformed(reader: int, fragment: bytes) -> None:
    """Alone, and a thousand times in a row."""
    read, _ = targets()[reader]

    for body in (fragment, fragment * 1_000):
        is_malformed(read, body)
