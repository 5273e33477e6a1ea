"""Dead letters written out: as a table, one by one, and for machines."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, structs

from ..electron import JSON
from ..errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from ..electron import Electron
    from ..envelope import DeadLetter
    from ..failure import Failure
    from ..properties import Properties

__all__ = ("as_json", "content_of", "letter_for_people", "letter_of", "one_line", "outcome_of", "table_of")

_LONGEST = 72  # of a failure in a table
_SHOWN_BYTES = 768  # of what is no JSON, for people: a kilobyte of base64


class _Bytes(Struct, frozen=True, kw_only=True):
    """What is no JSON."""

    size_bytes: int
    base64: str


def table_of(letters: Sequence[DeadLetter]) -> str:
    """Write letters for people, a line each."""
    rows = [("died (UTC)", "electron", "atom", "reason", "tried", "last failure")]
    rows += [
        (
            _moment(letter.died) if letter.died_ns else "",
            letter.electron_id,
            letter.atom_id,
            letter.reason,
            str(letter.attempts),
            _shortened(_told(letter.failures[-1])) if letter.failures else "",
        )
        for letter in letters
    ]
    shown = [tuple(map(one_line, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in shown)


def letter_of(letter: DeadLetter) -> dict[str, Any]:
    """Write a letter for machines, without what is in it."""
    members = structs.asdict(letter)
    body = members.pop("body")
    died_ns = members.pop("died_ns")
    return {**members, "died": letter.died.isoformat() if died_ns else None, "size_bytes": len(body)}


def content_of(letter: DeadLetter, read: Callable[[DeadLetter], Electron | Properties]) -> dict[str, Any]:
    """Write what is in a letter for machines: an electron, properties, or bytes that are neither."""
    try:
        content = read(letter)
    except Malformed as error:
        return {"malformed": str(error), "body": b64encode(letter.body).decode()}
    name = "payload" if hasattr(content, "payload") else "result"
    members = structs.asdict(content)
    value = _value(members.pop(name), content.content_type)
    return {**members, "content_type": content.content_type, name: value}


def letter_for_people(letter: DeadLetter, content: dict[str, Any]) -> str:
    """Write a letter with all that is in it, for people."""
    said = letter_of(letter)
    rows = {name: str(value) for name, value in said.items() if name != "failures" and value not in ("", None)}
    lines = [f"{name:<14}{one_line(text)}" for name, text in rows.items()]
    for number, failure in enumerate(letter.failures, 1):
        lines.append(f"failure {number:<6}{one_line(_told(failure))}")
        lines += [f"  {one_line(line, keep='')}" for line in failure.trace.splitlines()]
    return "\n".join([*lines, *_content_for_people(content, letter.body)])


def _content_for_people(content: dict[str, Any], body: bytes) -> list[str]:
    if "malformed" in content:
        return [f"cannot be read: {one_line(content['malformed'])}", *_bytes_for_people(body)]
    name = "payload" if "payload" in content else "result"
    value = content[name]
    shown = f"{name:<14}{one_line(content['content_type'])}"
    if isinstance(value, _Bytes):
        return [f"{shown}, {value.size_bytes:,} bytes", *_wrapped(value.base64)]
    return [shown, as_json(value)]


def _bytes_for_people(body: bytes) -> list[str]:
    return [f"{len(body):,} bytes", *_wrapped(b64encode(body).decode())]


def _wrapped(text: str) -> list[str]:
    most = _SHOWN_BYTES * 4 // 3
    lines = [text[at : at + 76] for at in range(0, min(len(text), most), 76)]
    return [f"  {line}" for line in lines] + (["  …"] if len(text) > most else [])


def _value(body: bytes, content_type: str) -> Any:
    """Return JSON as the value it is, and anything else as its length and base64."""
    if content_type == JSON:
        try:
            return msgspec.json.decode(body) if body else None
        except ValueError:
            pass  # it says it is, and is not: shown as any other bytes
    return _Bytes(size_bytes=len(body), base64=b64encode(body).decode())


def outcome_of(properties: Properties) -> dict[str, Any]:
    """Write an outcome for machines."""
    if properties.failure is not None:
        return {"state": "failed", "failure": properties.failure}
    return {"state": "completed", "result": _value(properties.result, properties.content_type)}


def as_json(value: object) -> str:
    """Write anything as JSON that people can read too."""
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def one_line(text: str, keep: str = " ") -> str:
    """Put a text from elsewhere on one line, without what would steer a terminal."""
    joined = " ".join(text.split()) if keep else text
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in joined)


def _told(failure: Failure) -> str:
    what = f"{failure.type.rpartition('.')[2]}: {failure.message}" if failure.type else failure.message
    return f"{what} ({failure.node})" if failure.node else what


def _shortened(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
