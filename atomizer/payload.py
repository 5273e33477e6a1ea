"""
The payload mapping: how the arguments of a call become a payload, and a payload arguments again.

| the function takes (besides `Bond`) | its payload is |
|---|---|
| nothing | empty |
| one parameter | the value of that parameter |
| several parameters | an object, by name |

Values travel as JSON, `bytes` as they are. What is left out of a call does not travel: the defaults of the node that
runs the function count. A second parameter changes what the payload is, even one with a default.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

from .annotations import UNTYPED, check_decodable, checked_bytes, find_type, may_be_bytes, result_reader
from .bond import Bond
from .electron import JSON, RAW
from .errors import Malformed, RegistrationRefused
from .json_values import decode_value, encode_value, value_reader
from .options import options_among

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .annotations import Reader
    from .bounds import Bounds
    from .electron import Electron

__all__ = (
    "EMPTY",
    "NO_ARGUMENTS",
    "Arguments",
    "Bind",
    "FunctionMapping",
    "Parameters",
    "Payload",
    "ReadArguments",
    "bind_payload",
    "encode_payload",
)

Bind: TypeAlias = "Callable[[tuple[Any, ...], dict[str, Any]], Payload]"
"""What makes a payload of a call's arguments, by position and by name."""
Arguments: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]
"""What a function is called with, by position and by name."""


ReadArguments: TypeAlias = "Callable[[Electron, Bounds], Arguments]"
"""What makes arguments of an electron's payload. It raises `Malformed`, with the path, for one that does not fit."""


class Payload(Struct, frozen=True, gc=False):
    """An encoded value, and how it is encoded."""

    body: bytes
    content_type: str


EMPTY = Payload(b"", JSON)
"""The payload of a call without arguments."""
_NO_NAMES: dict[str, Any] = {}
NO_ARGUMENTS: Arguments = ((), _NO_NAMES)
"""What a call without arguments is made with. Shared, so never to be written to."""


def encode_payload(value: object) -> Payload:
    """
    Encode a value as its own type says: `bytes` as they are, anything else as JSON.

    Raises:
        ValueError: It cannot be encoded.
    """
    if isinstance(value, bytes):
        return Payload(value, RAW)
    return Payload(encode_value(value), JSON)


def bind_payload(atom_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Payload:
    """
    Encode what an atom without declared parameters is asked with: one payload, or none.

    Raises:
        TypeError: It is more than that.
        ValueError: It cannot be encoded.
    """
    if kwargs:
        options = options_among(kwargs)
        say = f"; as options say options=Options({options}), or .options({options}) of a class" if options else ""
        raise TypeError(
            f"{atom_id} takes one payload, and no argument by name: {next(iter(kwargs))!r} was given{_SEVERAL}{say}"
        )
    if len(args) > 1:
        raise TypeError(f"{atom_id} takes one payload, and {len(args)} were given{_SEVERAL}")
    return encode_payload(args[0]) if args else EMPTY


_SEVERAL = ": several arguments are one dict, {'a': 1, 'b': 2}"


class FunctionMapping:
    """
    What the signature of a function says of payloads: worked out when it is first needed, and kept.

    Annotations may name types that are written further down in the module, so nothing is looked up before.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._name = f"{function.__module__}.{function.__qualname__}"

    def refuse_late_bond(self) -> None:
        """
        Refuse a `Bond` that is not the first parameter, as far as it can be told already.

        Raises:
            RegistrationRefused: There is one.
        """
        for parameter in self._parameters:
            if parameter.name == "bond" and parameter.annotation is parameter.empty:
                raise RegistrationRefused(
                    f"{self._name}: annotate its first parameter, `bond: Bond`, or call it otherwise"
                )
            if "Bond" not in str(parameter.annotation):
                continue
            try:
                hint = self._hint(parameter)
            except RegistrationRefused:
                continue  # written further down: it is looked up again when it is needed
            if hint is Bond:
                self._check_bond(parameter)

    def prepare(self) -> None:
        """
        Work out everything now.

        Raises:
            RegistrationRefused: The function cannot be an atom.
        """
        for name in ("wants_bond", "parameters", "read"):
            getattr(self, name)

    @cached_property
    def wants_bond(self) -> bool:
        """
        Whether the first parameter is the `Bond`.

        Raises:
            RegistrationRefused: Another one is, or a type cannot be found.
        """
        bonds = [parameter for parameter in self._parameters if self._hints[parameter.name] is Bond]
        for parameter in bonds:
            self._check_bond(parameter)
        return bool(bonds)

    @cached_property
    def parameters(self) -> Parameters:
        """
        The way of arguments to a payload and back.

        Raises:
            RegistrationRefused: A parameter cannot travel; the message names it and says what to do.
        """
        parameters = self._parameters[self.wants_bond :]
        for parameter in parameters:
            if reason := _CANNOT_TRAVEL.get(parameter.kind):
                raise RegistrationRefused(f"{self._where(parameter)} {reason}")
            check_decodable(self._hints[parameter.name], self._where(parameter))
        if not parameters:
            return NoParameters(self._name, parameters)
        if len(parameters) == 1:
            return OneParameter(self._name, parameters, self._hints)
        return SeveralParameters(self._name, parameters, self._hints)

    @cached_property
    def read(self) -> Reader:
        """
        What reads the result as the type that the function declares.

        Raises:
            RegistrationRefused: That type cannot be read.
        """
        return result_reader(self._function)

    @cached_property
    def _parameters(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self._function).parameters.values())

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return {parameter.name: self._hint(parameter) for parameter in self._parameters}

    def _hint(self, parameter: inspect.Parameter) -> Any:
        return find_type(self._function, parameter.annotation, self._where(parameter))

    def _where(self, parameter: inspect.Parameter) -> str:
        return f"{self._name}: parameter {parameter.name!r}"

    def _check_bond(self, parameter: inspect.Parameter) -> None:
        if parameter is not self._parameters[0] or parameter.kind is parameter.KEYWORD_ONLY:
            raise RegistrationRefused(
                f"{self._where(parameter)}: Bond must be the first parameter: move it to the front"
            )


_CANNOT_TRAVEL: dict[Any, str] = {
    inspect.Parameter.VAR_POSITIONAL: "takes any number of values: take one list instead",
    inspect.Parameter.VAR_KEYWORD: "takes any names: take one dict instead",
    inspect.Parameter.POSITIONAL_ONLY: "is positional-only, and arguments travel by name: remove the `/`",
}


class Parameters(ABC):
    """How the arguments of one function travel."""

    def __init__(self, name: str, parameters: Sequence[inspect.Parameter]) -> None:
        self._name = name
        self._signature = inspect.Signature(parameters)

    @abstractmethod
    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Payload:
        """
        Make a payload of a call's arguments.

        Raises:
            TypeError: They are not the function's.
            ValueError: They cannot be encoded.
        """

    @abstractmethod
    def arguments(self, electron: Electron, bounds: Bounds) -> Arguments:
        """
        Make arguments of an electron's payload.

        Raises:
            Malformed: It does not fit; `path` says where.
        """

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self._name}(): {error}{self._options_among(kwargs)}") from None

    def _options_among(self, kwargs: dict[str, Any]) -> str:
        unknown = {name: value for name, value in kwargs.items() if name not in self._signature.parameters}
        options = options_among(unknown)
        return f": options are said as {self._name.rpartition('.')[2]}.options({options})" if options else ""


class NoParameters(Parameters):
    """Nothing travels."""

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Payload:
        """Make an empty payload."""
        if args or kwargs:
            self._bound(args, kwargs)  # refuses them
        return EMPTY

    def arguments(self, electron: Electron, bounds: Bounds) -> Arguments:
        """Make no arguments of an empty payload; `{}` and `null` are other ways to write one."""
        if electron.payload not in _WRITTEN_EMPTY:
            raise Malformed("the atom takes no arguments, and the payload is not empty")
        return NO_ARGUMENTS


_WRITTEN_EMPTY = frozenset((b"", b"{}", b"null"))


class OneParameter(Parameters):
    """The payload is the value of the only parameter."""

    def __init__(self, name: str, parameters: Sequence[inspect.Parameter], hints: dict[str, Any]) -> None:
        super().__init__(name, parameters)
        (parameter,) = parameters
        self._parameter = parameter.name
        self._hint = hint = hints[parameter.name]
        self._by_name = parameter.kind is parameter.KEYWORD_ONLY
        self._is_optional = parameter.default is not parameter.empty
        self._is_untyped = hint in UNTYPED
        self._is_bytes = hint is bytes
        self._may_be_bytes = may_be_bytes(hint)
        self._read = value_reader(hint)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Payload:
        """Encode the value; a call without it has an empty payload."""
        if len(args) == 1 and not kwargs and not self._by_name:
            value = args[0]
            return Payload(value, RAW) if self._is_bytes and type(value) is bytes else self._encode(value)
        bound = self._bound(args, kwargs)
        return self._encode(bound[self._parameter]) if bound else EMPTY

    def arguments(self, electron: Electron, bounds: Bounds) -> Arguments:
        """Decode the value; an empty payload leaves it to its default."""
        if self._is_bytes and electron.content_type == RAW:
            value: Any = electron.payload
        else:
            value = self._raw(electron) if self._may_be_bytes else UNSET
        if value is UNSET:
            body = electron.payload
            if not body:
                return self._without()
            value = self._read(body, bounds)
        return ((), {self._parameter: value}) if self._by_name else ((value,), _NO_NAMES)

    def _raw(self, electron: Electron) -> bytes | UnsetType:
        """Return the payload as it came, if that is the value; empty bytes are one, an empty payload is none."""
        if electron.content_type == RAW:
            return electron.payload if self._is_bytes else checked_bytes(electron.payload, self._hint)
        is_value = self._is_bytes and (electron.payload or not self._is_optional)
        return electron.payload if is_value else UNSET

    def _without(self) -> Arguments:
        if not self._is_optional:
            raise Malformed(f"the payload is empty, and parameter {self._parameter!r} has no default")
        return NO_ARGUMENTS

    def _encode(self, value: Any) -> Payload:
        if isinstance(value, _BYTES):
            return self._encode_bytes(value)
        if self._is_bytes:
            raise ValueError(f"parameter {self._parameter!r} takes bytes, not {type(value).__qualname__}")
        return Payload(encode_value(value), JSON)

    def _encode_bytes(self, value: Any) -> Payload:
        if self._may_be_bytes:
            return Payload(bytes(value), RAW)
        if self._is_untyped:  # as JSON they would arrive as text, and nobody would be told
            raise ValueError(f"bytes for a parameter that does not say so: annotate {self._parameter!r} as bytes")
        return Payload(encode_value(value), JSON)


_BYTES = (bytes, bytearray, memoryview)


class SeveralParameters(Parameters):
    """The payload is an object, by the names of the parameters."""

    def __init__(self, name: str, parameters: Sequence[inspect.Parameter], hints: dict[str, Any]) -> None:
        super().__init__(name, parameters)
        positional = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
        self._named = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
        self._defaults = tuple(p.default for p in positional)
        self._is_plain = not self._named and all(p.default is p.empty for p in parameters)
        self._object = _object_of(parameters, hints)
        self._decoder = msgspec.json.Decoder(self._object)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Payload:
        """Encode what is given, by name."""
        try:
            given: Any = self._object(*args, **kwargs)
        except TypeError:
            given = self._bound(args, kwargs)  # refuses them, in the words of a call
        return Payload(encode_value(given), JSON)

    def arguments(self, electron: Electron, bounds: Bounds) -> Arguments:
        """Decode what is there, and leave the rest to its defaults."""
        values = structs.astuple(decode_value(self._decoder, electron.payload or b"{}", bounds))
        return (values, _NO_NAMES) if self._is_plain else self._with_defaults(values)

    def _with_defaults(self, values: tuple[Any, ...]) -> Arguments:
        positional = zip(values, self._defaults, strict=False)  # the named ones come after them
        args = tuple(default if value is UNSET else value for value, default in positional)
        named = zip(self._named, values[len(args) :], strict=True)
        return args, {name: value for name, value in named if value is not UNSET}


def _object_of(parameters: Sequence[inspect.Parameter], hints: dict[str, Any]) -> type[msgspec.Struct]:
    """
    Make the type of an object of arguments. It is called as the function is, and what is left out of it is `UNSET`.

    An object of a type is bound and encoded in a third of the time that a dict takes.
    """
    positional = [_field_of(p, hints[p.name]) for p in parameters if p.kind is not p.KEYWORD_ONLY]
    named = [_field_of(p, hints[p.name]) for p in parameters if p.kind is p.KEYWORD_ONLY]
    first = msgspec.defstruct("Arguments", positional, forbid_unknown_fields=True)
    if not named:
        return first
    return msgspec.defstruct("Arguments", named, bases=(first,), kw_only=True, forbid_unknown_fields=True)


def _field_of(parameter: inspect.Parameter, hint: Any) -> tuple[str, Any] | tuple[str, Any, Any]:
    if parameter.default is parameter.empty:
        return parameter.name, hint
    return parameter.name, Union[hint, UnsetType], UNSET  # noqa: UP007  # made at run time
