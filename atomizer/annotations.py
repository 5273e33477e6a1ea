"""Annotations: which types they mean, whether those can travel, and how a result is read as one."""

from __future__ import annotations

import inspect
from operator import attrgetter
from types import SimpleNamespace, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Never,
    NoReturn,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import structs
from msgspec.inspect import CustomType, Field, Type, type_info

from .bounds import INSIDE, unreadable
from .electron import RAW
from .errors import Malformed, RegistrationRefused
from .json_values import value_reader
from .properties import Properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = (
    "UNTYPED",
    "Reader",
    "check_decodable",
    "checked_bytes",
    "find_type",
    "may_be_bytes",
    "reader_of",
    "result_reader",
)

Reader: TypeAlias = "Callable[[Properties], Any]"
"""What reads the result out of properties."""

UNTYPED = (Any, object, Never, NoReturn)
"""What is declared where nothing is: not checked, and read as whatever it is."""


def result_reader(function: Callable[..., Any]) -> Reader:
    """
    Make what reads the result of a function as the type that it declares.

    Raises:
        RegistrationRefused: That type cannot be found, or cannot be read.
    """
    where = f"{function.__module__}.{function.__qualname__}: the result"
    hint = find_type(function, inspect.signature(function).return_annotation, where)
    if hint not in UNTYPED:
        check_decodable(hint, where)
    return reader_of(hint)


def reader_of(declared: Any) -> Reader:
    """
    Make what reads a result as a type. It raises `ValueError`, with the path, for a result that is not of it.

    Args:
        declared: Anything msgspec can decode to; `bytes` is the result as it came, `Any` and `object` whatever it is.

    Raises:
        TypeError: msgspec cannot decode to it.
    """
    if declared in UNTYPED:
        return Properties.value
    if declared is bytes:
        return attrgetter("result")
    read_value = value_reader(declared)
    raw = may_be_bytes(declared)

    def read(properties: Properties) -> Any:
        try:
            if raw and properties.content_type == RAW:
                return checked_bytes(properties.result, declared)
            return read_value(properties.result or b"null", INSIDE)
        except Malformed as error:
            raise ValueError(str(error)) from error

    return read


def find_type(function: Callable[..., Any], annotation: Any, where: str) -> Any:
    """
    Find the type that an annotation means where its function is written.

    Raises:
        RegistrationRefused: It cannot be found.
    """
    if annotation is inspect.Signature.empty:
        return Any
    written = inspect.unwrap(function)
    parameters = {each.__name__: each for each in getattr(written, "__type_params__", ())}
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return get_type_hints(holder, written.__globals__, parameters, include_extras=True)["it"]
    except NameError as error:
        raise RegistrationRefused(
            f"{where} is of type {annotation}, and {error.name!r} cannot be found in module {written.__module__}: "
            "move the type to module level, out of any function and any `if TYPE_CHECKING:`"
        ) from None
    except Exception as error:  # an annotation may be any expression
        raise RegistrationRefused(f"{where} is of type {annotation}, which cannot be evaluated: {error!r}") from error


def check_decodable(hint: Any, where: str) -> None:
    """
    Look whether msgspec can decode a type.

    Raises:
        RegistrationRefused: It cannot.
    """
    shown = hint.__qualname__ if isinstance(hint, type) else str(hint)
    if isinstance(hint, TypeVar) or (get_args(hint) and getattr(hint, "__parameters__", ())):
        raise RegistrationRefused(f"{where} is of type {shown}, which is generic: say of what type it is, or `object`")
    try:
        msgspec.json.Decoder(hint)
        strangers = sorted({kind.__qualname__ for kind in _strangers(type_info(hint), set())})
    except Exception as error:  # it evaluates what is written in classes: names may be missing there too
        raise RegistrationRefused(f"{where} is of type {shown}, which cannot be decoded: {error}") from error
    if strangers:
        raise RegistrationRefused(
            f"{where} is of type {shown}, and {', '.join(strangers)} cannot be decoded: "
            "make it a msgspec.Struct, a dataclass or a TypedDict"
        )


def _strangers(part: Any, seen: set[int]) -> Iterator[type]:
    """Find the types inside a type that msgspec knows nothing of: it makes decoders of them that refuse every value."""
    if isinstance(part, tuple):
        for each in cast("Iterable[Any]", part):
            yield from _strangers(each, seen)
    elif isinstance(part, CustomType):
        if part.cls is not object:
            yield part.cls
    elif isinstance(part, Type | Field) and id(part) not in seen:
        seen.add(id(part))
        yield from _strangers(structs.astuple(part), seen)


def may_be_bytes(hint: Any) -> bool:
    """Whether a value of a type may be bytes, which travel as they are."""
    if get_origin(hint) in (Union, UnionType, Annotated):
        return any(may_be_bytes(part) for part in get_args(hint))
    return hint is bytes


def checked_bytes(body: bytes, hint: Any) -> Any:
    """
    Hold bytes against what a type says of them, as their length.

    Raises:
        Malformed: They do not fit.
    """
    try:
        return msgspec.convert(body, hint)
    except msgspec.ValidationError as error:
        raise unreadable(error) from error
