"""What nodes tell each other on the CONTROL lane. May be lost; never settled."""

from __future__ import annotations

from msgspec import Struct

from .electron import Id

__all__ = ("Cancel",)


class Cancel(Struct, frozen=True, kw_only=True, gc=False, tag_field="control", tag="cancel"):
    """Stop an electron, wherever it is."""

    electron_id: Id
