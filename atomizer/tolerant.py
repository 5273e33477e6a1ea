"""
Twins of the structs that travel, for bodies of newer nodes: the same fields, and whatever else is said passed over.

The structs themselves refuse what they do not know, so that nothing in a body that one of them takes can be nested
deeper than its own fields are.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta, Struct, structs

from .failure import Failure
from .trials import FailureMode, Trials

__all__ = ("fields_of", "known", "tolerant")

S = TypeVar("S", bound=Struct)


def tolerant(struct: type[Struct]) -> type[Struct]:
    """Make a struct's twin, of the same form and with the same tag."""
    config = struct.__struct_config__
    return msgspec.defstruct(
        struct.__name__,
        fields_of(struct),
        kw_only=True,
        array_like=config.array_like,
        tag_field=config.tag_field,
        tag=config.tag,
    )


def fields_of(struct: type[Struct]) -> list[tuple[str, Any, Any]]:
    """Return name, type and default of each field; where structs stand in it, their twins do."""
    return [(field.name, _FOR.get(field.type, field.type), field.default) for field in structs.fields(struct)]


def known(struct: type[S], members: dict[str, Any]) -> S:
    """Make a struct of the members of its twin."""
    return struct(**{name: _known(value) for name, value in members.items()})


def _known(value: Any) -> Any:
    if type(value) is tuple:
        return tuple(_known(each) for each in cast("Any", value))
    struct = _STRUCTS.get(cast("Any", type(value)))
    return value if struct is None else known(struct, structs.asdict(value))


_FOR: dict[Any, Any] = {}
"""What stands in a twin for a field's type."""
_STRUCTS: dict[type, type[Struct]] = {}
"""Whose twins they are."""


def _pair(struct: type[Struct]) -> None:
    """Make the twin of a struct that stands in others, by itself, in a tuple, or not at all."""
    written: Any = struct
    twin: Any = tolerant(struct)
    _STRUCTS[twin] = struct
    _FOR.update({written: twin, written | None: twin | None, tuple[written, ...]: tuple[twin, ...]})


for _inner in (Failure, FailureMode, Trials):
    _pair(_inner)
_FOR[next(field.type for field in structs.fields(Trials) if field.name == "failures")] = Annotated[
    _FOR[tuple[Failure, ...]], Meta(max_length=64)
]
