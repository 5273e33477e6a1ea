"""Native MessagePack: arrays read by position, at once when they are plain, and with care when they are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec import structs

from atomizer.codec import MESSAGEPACK, Bounds, Unknown
from atomizer.electron import RAW, Electron
from atomizer.errors import Malformed
from atomizer.failure import Failure
from atomizer.properties import Progress, Properties

if TYPE_CHECKING:
    from collections.abc import Callable

ELECTRON = Electron(
    id="i", atom_id="a.B", sender="s", payload=b"\x00", content_type=RAW, deadline_ns=1, budget=0.5, limit=2.5,
    copy_state=False, attempt=2, parent="p", trace="t", reply=False,
)  # fmt: skip
FAILURE = Failure(
    kind="failed", type="t", message="m", trace="l", attempts=2, node="n", ending="killed", earlier=("e",)
)
REPLIES: tuple[Properties | Progress, ...] = (
    Properties(electron_id="i", atom_id="a.B", started_ns=1, ended_ns=2, result=b"1", attempt=2, node="n"),
    Properties(electron_id="i", failure=FAILURE),
    Progress(electron_id="i", done=0.5, total=1.0, note="half"),
)
NEST_LEVELS = 100_000
NESTS = (b"\x91", b"\x81\xa1x", b"\x81", b"\x92\xc0", b"\xdd\x00\x00\x00\x01", b"\xdf\x00\x00\x00\x01\xa1x")
"""What arrays and maps begin with, the next level as their last part; and a map whose key is the next level."""

pack = msgspec.msgpack.encode
read_electron = MESSAGEPACK.decode_electron
read_reply = MESSAGEPACK.decode_reply


def elements_of(value: Electron | Properties | Progress) -> list[Any]:
    """List what a body's array has in it."""
    write = MESSAGEPACK.encode_electron if isinstance(value, Electron) else MESSAGEPACK.encode_reply
    elements = msgspec.msgpack.decode(write(value))  # type: ignore[arg-type]
    assert isinstance(elements, list)
    return elements


def array(parts: list[bytes]) -> bytes:
    """Put an array together of parts that are written already."""
    return b"\xdc" + len(parts).to_bytes(2, "big") + b"".join(parts)


def test_bodies_are_arrays_of_every_field_in_order() -> None:
    """A reply's kind comes before them; a failure is a map, of what there is to say."""
    assert elements_of(ELECTRON) == list(structs.astuple(ELECTRON))
    assert elements_of(REPLIES[0]) == ["properties", *structs.astuple(REPLIES[0])]
    assert elements_of(REPLIES[1])[7] == structs.asdict(FAILURE) | {"earlier": ["e"]}
    assert elements_of(Properties(electron_id="i", failure=Failure(kind="failed")))[7] == {"kind": "failed"}
    assert elements_of(REPLIES[2]) == ["progress", "i", 0.5, 1.0, "half"]


@pytest.mark.parametrize("more", [(None,), ("x", 2, [[], {"y": b""}]), ([[[]]],)])
def test_elements_after_those_we_know_are_passed_over(more: tuple[object, ...]) -> None:
    """A newer node says more at the end."""
    assert read_electron(pack([*elements_of(ELECTRON), *more])) == ELECTRON
    for reply in REPLIES:
        assert read_reply(pack([*elements_of(reply), *more])) == reply


def test_elements_that_are_not_there_are_defaults() -> None:
    """An older node says less, and a short-spoken one may leave out the end."""
    for count in range(2, 13):
        known = dict(zip(Electron.__struct_fields__[:count], structs.astuple(ELECTRON), strict=False))
        assert read_electron(pack(elements_of(ELECTRON)[:count])) == Electron(**known)

    assert read_reply(pack(["properties", "i"])) == Properties(electron_id="i")
    assert read_reply(pack(["progress", "i", 1.0])) == Progress(electron_id="i", done=1.0)


@pytest.mark.parametrize(
    "body",
    [[], ["i"], ["i", "a", "s", b"", None], structs.asdict(ELECTRON), {"reply": "newer"}, ["i", "a", *["x"] * 99], "i"],
)
def test_what_is_no_electron_is_malformed(body: object) -> None:
    """Also a map of the right names, and one that would be a reply."""
    with pytest.raises(Malformed):
        read_electron(pack(body))


@pytest.mark.parametrize(
    "body", [["newer"], ["newer", 1, [{}]], {"reply": "newer"}, {"a": [1], "reply": "newer", "z": {}}]
)
def test_unknown_kind_of_reply_is_named_whatever_its_form(body: object) -> None:
    """In an array it comes first, in a map it has its key."""
    assert read_reply(pack(body)) == Unknown("newer")


@pytest.mark.parametrize(
    "body",
    [
        [], [1], ["properties"], ["progress", "i"], [["newer"]], ["x" * 257], "newer", None, 1,
        {}, {"kind": "newer"}, {"reply": 1}, {"reply": "properties", "electron_id": "i"},
    ],
)  # fmt: skip
def test_what_is_no_reply_is_malformed(body: object) -> None:
    """A kind that is known is read as what it is, and what names no kind as nothing."""
    with pytest.raises(Malformed):
        read_reply(pack(body))


@pytest.mark.parametrize(
    ("read", "value", "at", "path"),
    [
        (read_electron, ELECTRON, 0, "$.id"),
        (read_electron, ELECTRON, 12, "$.reply"),
        (read_reply, REPLIES[0], 1, "$.electron_id"),
        (read_reply, REPLIES[0], 9, "$.node"),
        (read_reply, REPLIES[2], 2, "$.done"),
        (read_reply, REPLIES[2], 0, "$[0]"),
    ],
)
def test_element_that_cannot_be_read_is_told_by_its_name(
    read: Callable[[bytes], object], value: Any, at: int, path: str
) -> None:
    """Nobody counts positions; only what has no kind has no names either."""
    elements = elements_of(value)
    elements[at] = ["no"]

    with pytest.raises(Malformed) as refused:
        read(pack(elements))

    assert refused.value.path == path


def test_field_of_a_failure_that_cannot_be_read_is_told_by_its_name() -> None:
    """The path goes on into it."""
    elements = elements_of(REPLIES[1])
    elements[7]["attempts"] = 0

    with pytest.raises(Malformed) as refused:
        read_reply(pack(elements))

    assert refused.value.path == "$.failure.attempts"


@pytest.mark.parametrize(
    ("read", "body", "depth"),
    [
        (read_electron, pack(elements_of(ELECTRON)), 1),
        (read_reply, pack(elements_of(REPLIES[0])), 1),
        (read_reply, pack(elements_of(REPLIES[1])), 3),
        (read_electron, pack([*elements_of(ELECTRON), [[]]]), 3),
        (read_reply, pack([*elements_of(REPLIES[2]), [[{}]]]), 4),
        (read_reply, pack(["newer", [[[[]]]]]), 5),
    ],
)
def test_bounds_are_kept_to_the_level_and_the_byte(
    read: Callable[[bytes, Bounds], object], body: bytes, depth: int
) -> None:
    """Whether the body is plain, or has to be looked at."""
    read(body, Bounds(max_depth=depth, max_bytes=len(body)))

    with pytest.raises(Malformed, match=f"deeper than {depth - 1} levels"):
        read(body, Bounds(max_depth=depth - 1))
    with pytest.raises(Malformed, match="are over the bound of"):
        read(body, Bounds(max_bytes=len(body) - 1))


def deep_bodies(value: Electron | Properties | Progress) -> list[bytes]:
    """Put nests of many levels in the place of each element, and at the end."""
    parts = [*map(pack, elements_of(value)), b""]
    nests = [level * NEST_LEVELS + b"\xc0" for level in NESTS]
    return [array([*parts[:at], nest, *parts[at + 1 : -1]]) for nest in nests for at in range(len(parts))]


def deep_failures() -> list[bytes]:
    """Put the nests into a failure: in the place of a value, under a key nobody knows, and as a key."""
    parts = [*map(pack, elements_of(REPLIES[1]))]
    keys = [pack(name) for name in (*Failure.__struct_fields__, "zzz")]
    heads = [b"\x82\xa4kind\xa1x" + key for key in keys] + [b"\x81" + key for key in keys] + [b"\x81", b"\x82"]
    nests = [level * NEST_LEVELS + b"\xc0" for level in NESTS]
    return [array([*parts[:7], head + nest, *parts[8:]]) for head in heads for nest in nests]


@pytest.mark.parametrize(
    ("read", "kinds", "bodies"),
    [
        (read_electron, Electron, deep_bodies(ELECTRON)),
        (read_reply, Properties | Progress, [body for reply in REPLIES for body in deep_bodies(reply)]),
        (read_reply, Properties | Progress, deep_failures()),
    ],
    ids=["electron", "replies", "failures"],
)
def test_nest_is_refused_before_anybody_goes_into_it(
    read: Callable[[bytes], object], kinds: Any, bodies: list[bytes]
) -> None:
    """The structs' own decoder refuses it by its first byte: one that went in would be too deep in recursion."""
    decoder = msgspec.msgpack.Decoder(kinds)

    for body in bodies:
        with pytest.raises(msgspec.ValidationError):
            decoder.decode(body)
        with pytest.raises(Malformed, match="nested deeper than 32 levels"):
            read(body)
