"""What events say in words of unknown authors, with its secrets hidden: for logs, for people, for other nodes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from .masking import masked_message

if TYPE_CHECKING:
    from .events import Event

__all__ = ("without_secrets",)

_WORDS = ("error", "reason", "note")


def without_secrets(event: Event) -> Event:
    """Hide the secrets in what an event says in words: an error, a reason, a note. Most say nothing, and stay."""
    said: dict[str, Any] = {name: text for name in _WORDS if (text := getattr(event, name, ""))}
    hidden = {name: masked for name, text in said.items() if (masked := masked_message(text)) != text}
    return structs.replace(event, **hidden) if hidden else event
