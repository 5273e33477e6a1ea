"""
Twins of the structs that travel, for bodies of newer nodes: the same fields, and whatever else is said passed over.

The structs themselves refuse what they do not know, so that nothing in a body that one of them takes can be nested
deeper than its own fields are.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Struct, structs

from .properties import Failure

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
    """Return name, type and default of each field; where a struct stands in it, its twin does."""
    return [(field.name, _TWINS.get(field.type, field.type), field.default) for field in structs.fields(struct)]


_TWINS: dict[Any, Any] = {}
_TWINS[Failure | None] = tolerant(Failure) | None


def known(struct: type[S], members: dict[str, Any]) -> S:
    """Make a struct of the members of its twin."""
    failure = members.get("failure")
    if failure is not None:
        members["failure"] = Failure(**structs.asdict(failure))
    return struct(**members)
