"""Dead letters written out: as a table, one by one, and for machines."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, structs

from ..electron import JSON
from ..errors import Malformed
from ..masking import masked_line, masked_message, one_line
from .writing import as_json, joined, moment, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..electron import Electron
    from ..envelope import DeadLetter
    from ..failure import Failure
    from ..properties import Properties

__all__ = ("content_of", "letter_for_people", "letter_of", "listed", "masked_failure", "outcome_of", "table_of")

_LONGEST = 72  # of a failure in a table
_SHOWN_BYTES = 768  # of what is no JSON, for people: a kilobyte of base64


class _Bytes(Struct, frozen=True, kw_only=True):
    """What is no JSON."""

    size_bytes: int
    base64: str


def table_of(letters: Sequence[DeadLetter]) -> str:
    """Write letters for people, a line each."""
    rows = [("died", "electron", "atom", "reason", "tried", "last failure")]
    rows += [
        (
            moment(letter.died) if letter.died_ns else "",
            letter.electron_id,
            letter.atom_id,
            letter.reason,
            str(letter.attempts),
            _shortened(_told(letter.failures[-1])) if letter.failures else "",
        )
        for letter in letters
    ]
    return table(rows)


def letter_of(letter: DeadLetter) -> dict[str, Any]:
    """Write a letter for machines, without what is in it."""
    members = structs.asdict(letter)
    body = members.pop("body")
    died = letter.died.isoformat() if letter.died_ns else None
    return {**members, "died": died, "size_bytes": len(body)}


def listed(letter: DeadLetter) -> dict[str, Any]:
    """Write a letter among others for machines: as `letter_of`, with the secrets in its failures hidden."""
    return {**letter_of(letter), "failures": [masked_failure(each) for each in letter.failures]}


def masked_failure(failure: Failure) -> Failure:
    """Hide the secrets in what a failure says in words."""
    return structs.replace(failure, message=masked_message(failure.message), trace=masked_message(failure.trace))


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
    lines = [f"{name:<14}{joined(text)}" for name, text in rows.items()]
    for number, failure in enumerate(letter.failures, 1):
        lines.append(f"failure {number:<6}{joined(_told(failure))}")
        lines += [f"  {one_line(line)}" for line in failure.trace.splitlines()]
    return "\n".join([*lines, *_content_for_people(content, letter.body)])


def _content_for_people(content: dict[str, Any], body: bytes) -> list[str]:
    if "malformed" in content:
        return [f"cannot be read: {joined(content['malformed'])}", *_bytes_for_people(body)]
    name = "payload" if "payload" in content else "result"
    value = content[name]
    shown = f"{name:<14}{joined(content['content_type'])}"
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


def _told(failure: Failure) -> str:
    what = f"{failure.type.rpartition('.')[2]}: {failure.message}" if failure.type else failure.message
    return f"{what} ({failure.node})" if failure.node else what


def _shortened(text: str) -> str:
    text = masked_line(joined(text))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
