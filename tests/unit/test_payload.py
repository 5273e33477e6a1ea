"""The payload mapping: arguments become a payload at the sender, and arguments again at the receiver."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from atomizer import Bond, Electron, FunctionAtom, Malformed, Properties, RegistrationRefused, atom
from atomizer.annotations import reader_of
from atomizer.atom import definition_of
from atomizer.bounds import DEFAULT_BOUNDS, Bounds
from atomizer.electron import JSON, RAW
from atomizer.payload import EMPTY, Payload, bind_payload

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")
AnyAtom = FunctionAtom[..., Any, ..., Any]


class Point(Struct):
    """A type of the application's."""

    x: int
    y: int


class Opaque:
    """A type msgspec knows nothing of."""


@dataclasses.dataclass
class Crate:
    """A type that holds one."""

    content: Opaque


class Row(TypedDict):
    """A type of names."""

    name: str


def travelled(atom: AnyAtom, *args: Any, **kwargs: Any) -> Any:
    """Take arguments to the other side."""
    payload = atom.bind(args, kwargs)
    return received(atom, payload.body, payload.content_type)


def received(atom: AnyAtom, body: bytes, content_type: str = JSON) -> Any:
    """Make arguments of a payload."""
    electron = Electron(id="1", atom_id=atom.atom_id, payload=body, content_type=content_type)
    return atom.arguments(electron, DEFAULT_BOUNDS)


@atom(id="tests.nothing")
async def nothing() -> None: ...


@atom(id="tests.square")
async def square(n: int) -> int:
    return n


@atom(id="tests.greet")
async def greet(name: str = "you") -> str:
    return name


@atom(id="tests.shift")
async def shift(bond: Bond, point: Point, by: int = 1, *, axis: Literal["x", "y"], note: str | None = None) -> Point:
    return point


@atom(id="tests.add")
async def add(a: int, b: int) -> int:
    return a + b


@atom(id="tests.raw")
async def raw(data: bytes) -> bytes:
    return data


@atom(id="tests.maybe_raw")
async def maybe_raw(data: bytes | None = None) -> bytes | None:
    return data


@atom(id="tests.named_raw")
async def named_raw(*, data: Annotated[bytes, Meta(max_length=3)] = b"abc") -> None: ...


@atom(id="tests.anything")
async def anything(value) -> object: ...  # type: ignore[no-untyped-def]  # un-annotated is what is tried


@atom(id="tests.with_bytes")
async def with_bytes(name: str, data: bytes) -> None: ...


_SHARED: list[int] = []


@atom(id="tests.mutable")
async def mutable(a: int, items: list[int] = _SHARED) -> None: ...


def test_no_parameters_travel_as_nothing() -> None:
    """An empty payload, and back."""
    assert nothing.bind((), {}) == EMPTY
    assert travelled(nothing) == ((), {})


@pytest.mark.parametrize("body", [b"", b"{}", b"null"])
def test_no_parameters_are_read_from_every_way_to_write_nothing(body: bytes) -> None:
    """Other senders have other habits."""
    assert received(nothing, body) == ((), {})


def test_no_parameters_refuse_a_payload() -> None:
    """Whoever sends something means something."""
    with pytest.raises(Malformed, match="takes no arguments"):
        received(nothing, b"1")


def test_one_parameter_travels_as_its_value() -> None:
    """The payload is the value."""
    assert square.bind((7,), {}) == square.bind((), {"n": 7}) == Payload(b"7", JSON)
    assert travelled(square, 7) == ((7,), {})


def test_one_parameter_left_out_travels_as_nothing() -> None:
    """Its default on the other side counts."""
    assert greet.bind((), {}) == EMPTY
    assert travelled(greet) == ((), {})


def test_one_parameter_without_default_refuses_an_empty_payload() -> None:
    """The message names it."""
    with pytest.raises(Malformed, match="'n' has no default"):
        received(square, b"")


def test_several_parameters_travel_as_an_object() -> None:
    """By name, however they are given."""
    assert add.bind((1, 2), {}).body == add.bind((1,), {"b": 2}).body == b'{"a":1,"b":2}'
    assert travelled(add, 1, b=2) == ((1, 2), {})


def test_bond_does_not_travel() -> None:
    """It belongs to the node that runs the atom."""
    assert shift.bind((Point(1, 2),), {"axis": "x"}).body == b'{"point":{"x":1,"y":2},"axis":"x"}'


def test_defaults_of_the_receiver_fill_what_was_left_out() -> None:
    """By position they are filled in, by name they are left to the call itself."""
    assert travelled(shift, Point(1, 2), axis="x") == ((Point(1, 2), 1), {"axis": "x"})
    assert travelled(shift, Point(1, 2), 5, axis="y", note="n") == ((Point(1, 2), 5), {"axis": "y", "note": "n"})


def test_default_is_the_function_s_own_object() -> None:
    """As in a direct call."""
    args, _ = travelled(mutable, 1)

    assert args[1] is _SHARED


@given(st.integers(), st.integers())
def test_several_parameters_arrive_as_they_were_sent(a: int, b: int) -> None:
    """Integers of any size."""
    assert travelled(add, a, b) == ((a, b), {})


@given(
    st.builds(Point, st.integers(), st.integers()),
    st.one_of(st.just(()), st.tuples(st.integers())),
    st.sampled_from(["x", "y"]),
    st.one_of(st.just({}), st.fixed_dictionaries({"note": st.one_of(st.none(), st.text())})),
)
def test_optional_parameters_arrive_as_a_direct_call_has_them(
    point: Point, by: tuple[int, ...], axis: str, note: dict[str, str | None]
) -> None:
    """Whatever is left out."""
    (arrived_point, arrived_by), named = travelled(shift, point, *by, axis=axis, **note)

    assert (arrived_point, arrived_by) == (point, *(by or (1,)))
    assert named == {"axis": axis, **note}


@given(st.binary())
def test_bytes_travel_as_they_are(data: bytes) -> None:
    """Every byte value, and none."""
    assert raw.bind((data,), {}) == Payload(data, RAW)
    assert travelled(raw, data) == ((data,), {})


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_what_is_like_bytes_travels_as_bytes(kind: Any) -> None:
    """A direct call might take it too."""
    assert travelled(raw, kind(b"abc")) == ((b"abc",), {})


def test_bytes_parameter_takes_json_as_it_came() -> None:
    """Whoever declares bytes reads them alone."""
    assert received(raw, b'{"a": 1}', JSON) == ((b'{"a": 1}',), {})
    assert received(raw, b"", JSON) == ((b"",), {})


def test_bytes_parameter_refuses_other_values_at_the_sender() -> None:
    """They would not be bytes there."""
    with pytest.raises(ValueError, match="'data' takes bytes, not str"):
        raw.bind(("text",), {})


def test_octet_stream_is_read_as_json_where_no_bytes_are_declared() -> None:
    """Some senders have no content types."""
    assert received(square, b"7", RAW) == ((7,), {})


@pytest.mark.parametrize("value", [None, b"", b"abc", b"null"])
def test_optional_bytes_keep_none_and_bytes_apart(value: bytes | None) -> None:
    """None is JSON, bytes are not, even those that look like it."""
    assert travelled(maybe_raw, value) == ((value,), {})
    assert travelled(maybe_raw) == ((), {})


def test_bytes_are_held_against_what_the_annotation_says() -> None:
    """A bound on their length is a part of the type."""
    assert travelled(named_raw, data=b"x") == ((), {"data": b"x"})
    with pytest.raises(Malformed, match="length <= 3"):
        travelled(named_raw, data=b"abcd")


def test_bytes_among_several_parameters_arrive() -> None:
    """As text in the object, as bytes in the call."""
    assert travelled(with_bytes, "n", b"\xff") == (("n", b"\xff"), {})


def test_parameter_without_annotation_takes_any_json() -> None:
    """Nothing is checked."""
    assert travelled(anything, {"a": [1, None]}) == (({"a": [1, None]},), {})


def test_parameter_without_annotation_refuses_bytes_at_the_sender() -> None:
    """They would arrive as text."""
    with pytest.raises(ValueError, match="annotate 'value' as bytes"):
        anything.bind((b"abc",), {})


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ((1,), {}, "missing a required argument: 'b'"),
        ((1, 2, 3), {}, "too many positional arguments"),
        ((1, 2), {"c": 3}, "unexpected keyword argument 'c'"),
        ((1, 2), {"a": 3}, "multiple values for argument 'a'"),
    ],
)
def test_arguments_that_are_not_the_function_s_are_refused_at_the_sender(
    args: tuple[Any, ...], kwargs: dict[str, Any], reason: str
) -> None:
    """In the words of a call, with the function's name."""
    with pytest.raises(TypeError, match=rf"{__name__}\.add\(\): .*{reason}"):
        add.bind(args, kwargs)


def test_arguments_for_none_are_refused_at_the_sender() -> None:
    """As for any function."""
    with pytest.raises(TypeError, match="too many positional arguments"):
        nothing.bind((1,), {})


def test_value_that_cannot_be_written_is_refused_at_the_sender() -> None:
    """The message says where."""
    with pytest.raises(ValueError, match=r"object cannot be written as JSON.*at `\$\.b`"):
        add.bind((1, object()), {})


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        (b'{"a": 1, "b": "2"}', "$.b", "Expected `int`, got `str`"),
        (b'{"a": 1}', "$", "missing required field `b`"),
        (b'{"a": 1, "b": 2, "c": 3}', "$", "unknown field `c`"),
        (b"[1, 2]", "$", "Expected `object`, got `array`"),
        (b"", "$", "missing required field `a`"),
        (b"{", "$", "truncated"),
    ],
)
def test_payload_that_does_not_fit_is_refused_with_its_path(body: bytes, path: str, reason: str) -> None:
    """Before the function is called."""
    with pytest.raises(Malformed, match=reason) as caught:
        received(add, body)
    assert caught.value.path == path


def test_payload_is_held_against_the_bounds() -> None:
    """Before it is decoded."""
    electron = Electron(id="1", atom_id="tests.anything", payload=b"[[[1]]]")

    with pytest.raises(Malformed, match="nested deeper"):
        anything.arguments(electron, Bounds(max_depth=2))


def test_result_of_bytes_travels_as_it_is() -> None:
    """Anything else as JSON, and nothing as null."""
    assert raw.encode_result(b"\x00") == Payload(b"\x00", RAW)
    assert add.encode_result(3) == Payload(b"3", JSON)
    assert nothing.encode_result(None) == Payload(b"null", JSON)


def test_result_that_cannot_be_written_is_refused() -> None:
    """The message says what."""
    with pytest.raises(ValueError, match="Opaque"):
        add.encode_result(Opaque())


@pytest.mark.parametrize(
    ("declared", "result", "content_type", "value"),
    [
        (int, b"3", JSON, 3),
        (Point, b'{"x":1,"y":2}', JSON, Point(1, 2)),
        (None, b"null", JSON, None),
        (None, b"", JSON, None),
        (bytes, b"\x00", RAW, b"\x00"),
        (bytes, b"[1]", JSON, b"[1]"),
        (bytes | None, b"null", RAW, b"null"),
        (bytes | None, b"null", JSON, None),
        (int, b"3", RAW, 3),
        (Any, b'{"a":1}', JSON, {"a": 1}),
        (object, b"\x00", RAW, b"\x00"),
    ],
)
def test_result_is_read_as_the_type_that_is_declared(
    declared: Any, result: bytes, content_type: str, value: object
) -> None:
    """For bytes the content type decides, where the type leaves it open."""
    read = reader_of(declared)

    assert read(Properties(electron_id="1", result=result, content_type=content_type)) == value


def test_result_of_another_type_is_refused_with_its_path() -> None:
    """As a `ValueError`: whoever asks makes a failure of it."""
    with pytest.raises(ValueError, match=r"Expected `int`, got `str` - at `\$\.y`"):
        shift.read(Properties(electron_id="1", result=b'{"x":1,"y":"2"}'))


def test_one_payload_is_bound_as_its_own_type_says() -> None:
    """For class atoms, and those known by id alone."""
    assert bind_payload("tests.x", (), {}) == EMPTY
    assert bind_payload("tests.x", (b"abc",), {}) == Payload(b"abc", RAW)
    assert bind_payload("tests.x", ({"a": 1},), {}) == Payload(b'{"a":1}', JSON)
    assert bind_payload("tests.x", (None,), {}) == Payload(b"null", JSON)


def test_more_than_one_payload_is_refused() -> None:
    """It would have to be one list."""
    with pytest.raises(TypeError, match="2 were given"):
        bind_payload("tests.x", (1, 2), {})
    with pytest.raises(TypeError, match="'seed' was given"):
        bind_payload("tests.x", (), {"seed": 1})


async def _var_positional(*args: int) -> None: ...
async def _var_keyword(**kwargs: int) -> None: ...
async def _positional_only(a: int, /) -> None: ...
async def _generic(items: list[T]) -> T:
    return items[0]


async def _generic_value(item: T) -> T:
    return item


async def _generic_result(item: int) -> list[T]:  # pyright: ignore[reportInvalidTypeVarUse]
    return []


async def _opaque(thing: Opaque) -> None: ...
async def _inside(things: dict[str, list[Opaque] | None]) -> None: ...
async def _inside_a_class(crate: Crate) -> None: ...
async def _opaque_result() -> Opaque:
    return Opaque()


async def _ambiguous(value: list[int] | set[int]) -> None: ...
async def _only_checked(value: Decimal) -> None: ...
async def _missing(value: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]
async def _not_a_type(value: Meta.not_there) -> None: ...  # type: ignore[name-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownParameterType]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (_var_positional, r"_var_positional: parameter 'args' .*one list"),
        (_var_keyword, r"parameter 'kwargs' .*one dict"),
        (_positional_only, r"parameter 'a' is positional-only.*remove the `/`"),
        (_generic, r"parameter 'items' .*list\[.*T\], which is generic"),
        (_generic_value, r"parameter 'item' .*T, which is generic"),
        (_generic_result, r"the result .*generic"),
        (
            _opaque,
            r"parameter 'thing' .*Opaque cannot be decoded: make it a msgspec\.Struct, a dataclass or a TypedDict",
        ),
        (_inside, r"parameter 'things' .*Opaque cannot be decoded"),
        (_inside_a_class, r"parameter 'crate' is of type Crate, and Opaque cannot be decoded"),
        (_opaque_result, r"the result .*Opaque cannot be decoded"),
        (_ambiguous, r"parameter 'value' .*more than one array-like"),
        (_only_checked, r"'Decimal' cannot be found in module .*TYPE_CHECKING"),
        (_missing, r"parameter 'value' is of type Missing, and 'Missing' cannot be found .*module level"),
        (_not_a_type, r"parameter 'value' .*cannot be evaluated"),
    ],
)
def test_function_whose_types_cannot_travel_is_refused(function: Any, reason: str) -> None:
    """The message names the function, the parameter, the type, and what to do."""
    made = definition_of(atom(function))

    with pytest.raises(RegistrationRefused, match=reason) as caught:
        made.prepare()
    assert f"{function.__module__}.{function.__name__}" in str(caught.value)


def test_types_that_are_local_to_a_function_are_refused() -> None:
    """Their names are gone when the annotations are read."""

    class Local(Struct):
        x: int

    async def local(value: Local) -> None: ...

    with pytest.raises(RegistrationRefused, match=r"'value' .*'Local' cannot be found .*move the type to module level"):
        definition_of(atom(id="tests.local")(local)).prepare()


async def _rich(row: Row, crates: list[dict[str, Point]], pair: tuple[int, str], choice: Literal[1, 2]) -> object: ...


def test_types_that_msgspec_knows_are_taken() -> None:
    """However they are nested."""
    definition_of(atom(_rich)).prepare()


def test_types_of_further_down_are_found() -> None:
    """Nothing is looked up before it is needed."""
    early: AnyAtom = atom(_early)

    assert travelled(early, Late(x=1)) == ((Late(x=1),), {})


async def _early(value: Late) -> None: ...


class Late(Struct):
    """Written after the function that takes it."""

    x: int
