"""
The Go dialect: electrons and properties as the nodes of the original atomizer write and read them.

Each is one JSON object. Go reads keys whatever their case, of equal ones the last counts, and it passes over those it
does not know: ours are lower-case and optional.

- A **payload** is read by Go's own rule: if the text without its outer quotes is base64 it is decoded, else the text
  itself is the payload. So only an object or an array is written as it is, and anything else as a string of base64.
- A **result** is to Go the text that stands there. JSON is written as it is, with the white space around it in
  `resultpadding`; anything else is a string of base64, and `resultencoding` says so.
- An **error** is base64 of a text, or of Go's error object, which is told as Go tells it. What is not in the text of a
  failure travels under our key `failure`.
- Bytes that came as base64 are raw and all others JSON, unless `contenttype` says otherwise.
- The **timeout** is nanoseconds for one run: the limit, or the time left where that is less, and then our key `limit`
  says what the limit really is.
- A moment that nobody knows, our 0, is Go's zero time.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import a2b_base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field, structs

from .bounds import UNREADABLE, check_json, unreadable
from .electron import JSON, RAW, Duration, Electron, Id
from .errors import Malformed
from .failure import Failure, FailureKind
from .json_values import is_embeddable
from .properties import Properties
from .tolerant import fields_of, known

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("electron_form", "properties_form", "read_electron", "read_properties")

_NO_BYTES = Raw()
_MOST_NANOSECONDS = 2**63 - 1
Nanoseconds = Annotated[int, Meta(ge=-(2**63), le=_MOST_NANOSECONDS)]


class _ElectronKeys(Struct, kw_only=True, omit_defaults=True):
    """Go's keys in Go's order, then those of ours that say what these do not."""

    sender: Id | None = field(default=None, name="senderid")
    id: Id | None = None
    atom_id: Id | None = field(default=None, name="atomid")
    timeout: Nanoseconds | None = None
    copy_state: bool | None = field(default=None, name="copystate")
    payload: Raw = _NO_BYTES
    content_type: Annotated[str, Meta(max_length=128)] | None = field(default=None, name="contenttype")
    limit: Duration | UnsetType | None = UNSET


class _PropertiesKeys(Struct, kw_only=True, omit_defaults=True):
    """Go's keys in Go's order, then those of ours that say what these do not."""

    electron_id: Id | None = field(default=None, name="electronId")
    atom_id: Id | None = field(default=None, name="atomId")
    started_ns: str | None = field(default=None, name="starttime")
    ended_ns: str | None = field(default=None, name="endtime")
    error: str | None = None
    result: Raw = _NO_BYTES
    result_encoding: Literal["base64"] | None = field(default=None, name="resultencoding")
    result_padding: tuple[str, str] | None = field(default=None, name="resultpadding")
    content_type: str | None = field(default=None, name="contenttype")
    reply: str | None = None
    """Only in what is no properties: the tag of our other replies."""


def _with_the_rest(keys: type[Struct], struct: type[Struct]) -> type[Struct]:
    """Add a key for every field of a struct that has none yet: its name without underscores and unit."""
    rest = [
        (name, kind, field(default=default, name=name.removesuffix("_ns").replace("_", "")))
        for name, kind, default in fields_of(struct)
        if name not in keys.__struct_fields__
    ]
    return msgspec.defstruct(f"{struct.__name__}Go", rest, bases=(keys,), kw_only=True, omit_defaults=True)


_ElectronForm = _with_the_rest(_ElectronKeys, Electron)
_PropertiesForm = _with_the_rest(_PropertiesKeys, Properties)


def electron_form(electron: Electron) -> Struct:
    """Put an electron into the form that is written."""
    members = structs.asdict(electron)
    raw, implied = _payload_to_wire(electron.payload)
    timeout = _timeout(electron)
    members["payload"] = raw
    members["content_type"] = None if electron.content_type == implied else electron.content_type
    members["limit"] = UNSET if _limit(timeout) == electron.limit else electron.limit
    return _ElectronForm(timeout=timeout, **members)


def _payload_to_wire(payload: bytes) -> tuple[Raw, str]:
    """Return what is written, and what content type that implies."""
    if not payload:
        return _NO_BYTES, JSON
    if payload[:1] in b"[{" and is_embeddable(payload):
        return Raw(payload), JSON
    return _base64_string(payload), RAW


def _base64_string(body: bytes) -> Raw:
    return Raw(b'"%b"' % b64encode(body))


def _timeout(electron: Electron) -> int | None:
    """Return what Go may run it for: the limit or the time left, whatever is less."""
    seconds = [each for each in (electron.limit, electron.budget) if each is not None]
    return min(round(min(seconds) * 1e9), _MOST_NANOSECONDS) if seconds else None


def _limit(timeout: int | None) -> float | None:
    """Return what a timeout of Go's means to us. Less than nothing is over at once, there as here."""
    return None if timeout is None else max(timeout, 0) / 1e9


def read_electron(body: bytes) -> Electron:
    """
    Read an electron. Without a sender, which to Go is invalid, there is only nobody to answer.

    Raises:
        Malformed: It is no electron, or has no id or atom id; the path is in Go's keys.
    """
    members = _electrons.read(body)
    for name, key in (("id", "id"), ("atom_id", "atomid")):
        if not members[name]:
            raise Malformed("missing or empty", f"$.{key}")
    timeout = members.pop("timeout")
    if members["limit"] is UNSET:
        members["limit"] = _limit(timeout)
    members["payload"], implied = _payload_from_wire(bytes(members["payload"]))
    if members["content_type"] is None:
        members["content_type"] = implied
    members["sender"] = members["sender"] or ""
    return known(Electron, members)


def _payload_from_wire(text: bytes) -> tuple[bytes, str]:
    decoded = _from_base64(text.strip(b'"'))
    if decoded is None:
        return text, JSON
    return decoded, RAW if decoded else JSON


def _from_base64(text: bytes) -> bytes | None:
    """Decode what Go's standard encoding takes: padded, line ends passed over. Otherwise return None."""
    text = text.translate(None, b"\r\n")
    letters = text[:-2] + text[-2:].rstrip(b"=")
    if len(text) % 4 or letters.translate(None, _BASE64_ALPHABET):
        return None
    return a2b_base64(text)


_BASE64_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class _Reader:
    """Reads a form whatever the case of its keys. Of keys that are the same to Go, the last one counts."""

    def __init__(self, form: type[Struct]) -> None:
        keys = [member.encode_name for member in structs.fields(form)]
        self._exact, self._by_folded = frozenset(keys), {key.lower(): key for key in keys}
        self._read = msgspec.json.Decoder(form).decode

    def read(self, body: bytes) -> dict[str, Any]:
        try:
            return structs.asdict(self._read(self._respelled(body)))
        except UNREADABLE as error:
            raise unreadable(error) from error

    def _respelled(self, body: bytes) -> bytes:
        members = _read_members(body) or {}
        if members and members.keys() <= self._exact:
            return body
        return msgspec.json.encode({self._by_folded.get(_folded(key), key): raw for key, raw in members.items()})


def _folded(key: str) -> str:
    """Fold as Go does: the long s is the one letter that folds to ASCII and has no lower case there."""
    return key.lower().replace("\N{LATIN SMALL LETTER LONG S}", "s")


_read_members: Callable[[bytes], dict[str, Raw] | None]
_read_members = msgspec.json.Decoder(dict[str, Raw] | None).decode  # to Go, null is an object without keys
_electrons = _Reader(_ElectronForm)
_properties = _Reader(_PropertiesForm)


def properties_form(properties: Properties) -> Struct:
    """Put properties into the form that is written."""
    members = structs.asdict(properties)
    members["started_ns"] = _time_to_wire(properties.started_ns)
    members["ended_ns"] = _time_to_wire(properties.ended_ns)
    implied = _result_to_wire(properties, members)
    if properties.content_type == implied:
        members["content_type"] = None
    if properties.failure is not None:
        members["error"] = _error_to_wire(properties)
        if _error_from_wire(members["error"]) == properties.failure:
            members["failure"] = None
    return _PropertiesForm(**members)


def _result_to_wire(properties: Properties, members: dict[str, Any]) -> str:
    """Write the result, and return what content type that implies."""
    result = properties.result
    text = result.strip(_WHITE_SPACE)
    if not result:
        members["result"] = Raw(b"null") if properties.failure else _NO_BYTES
    elif is_embeddable(text):
        members["result"] = Raw(text)
        if text != result:
            before, _, after = result.partition(text)
            members["result_padding"] = (before.decode(), after.decode())
    else:
        members["result"], members["result_encoding"] = _base64_string(result), "base64"
        return RAW
    return JSON


_WHITE_SPACE = b" \t\r\n"


def _error_to_wire(properties: Properties) -> str:
    """Write a failure's text; one that Go would take for JSON of its own as Go's error object."""
    failure = cast("Failure", properties.failure)
    text = failure.message or failure.kind
    if failure.type:
        text = f"{failure.type}: {failure.message}"
    if text.lstrip().startswith("{") or text.strip() == "null":
        event = _GoEvent(message=text, electron_id=properties.electron_id, atom_id=properties.atom_id)
        return b64encode(msgspec.json.encode(_GoError(event=event))).decode()
    return b64encode(text.encode()).decode()


class _GoEvent(Struct):
    """Where something happened, and what."""

    message: str = ""
    electron_id: str = field(default="", name="electronID")
    atom_id: str = field(default="", name="atomID")
    conductor_id: str = field(default="", name="conductorID")

    def __str__(self) -> str:
        ids = (("cid", self.conductor_id), ("aid", self.atom_id), ("eid", self.electron_id))
        where = " | ".join(f"{name}:{value}" for name, value in ids if value)
        return " ".join(part for part in (f"[{where}]" if where else "", self.message) if part)


class _GoError(Struct):
    """An error of the original, and the one inside, of which Go writes nothing but `{}` when it is any other error."""

    event: _GoEvent | None = None
    internal: _GoError | str | None = None

    def __str__(self) -> str:
        inner = "" if self.internal in (None, _GoError()) else str(self.internal)
        parts = ("atomizer error", str(self.event or ""), f"| internal: ({inner})" if inner else "")
        return " ".join(part for part in parts if part)


def read_properties(body: bytes) -> Properties | None:
    """
    Read properties. None means that they are none: another reply of ours, told by its tag.

    Raises:
        Malformed: They cannot be read; the path is in Go's keys.
    """
    members = _properties.read(body)
    if members.pop("reply") is not None:
        return None
    members["started_ns"] = _time_from_wire(members["started_ns"], "$.starttime")
    members["ended_ns"] = _time_from_wire(members["ended_ns"], "$.endtime")
    error = members.pop("error")
    if error is not None and members["failure"] is None:
        members["failure"] = _error_from_wire(error)
    members["result"], implied = _result_from_wire(members)
    if members["content_type"] is None:
        members["content_type"] = implied
    for name in ("electron_id", "atom_id"):
        members[name] = members[name] or ""
    return known(Properties, members)


def _result_from_wire(members: dict[str, Any]) -> tuple[bytes, str]:
    text = bytes(members["result"])
    before, after = members.pop("result_padding") or ("", "")
    if members.pop("result_encoding") is None:
        is_none = members["failure"] is not None and text == b"null"
        return b"" if is_none else before.encode() + text + after.encode(), JSON
    decoded = _from_base64(text.strip(b'"'))
    if decoded is None:
        raise Malformed("no base64, though resultencoding says so", "$.result")
    return decoded, RAW


def _error_from_wire(error: str) -> Failure:
    text = _from_base64(error.encode())
    if text is None:
        raise Malformed("no base64", "$.error")
    return Failure(kind=FailureKind.FAILED, message=_told(text))


def _told(text: bytes) -> str:
    """Tell an error object as Go tells it; any other text tells itself."""
    try:
        check_json(text)
        error = _read_error(text)
    except (Malformed, *UNREADABLE):
        return text.decode(errors="replace")
    return str(error) if error.event else text.decode(errors="replace")


_read_error = msgspec.json.Decoder(_GoError).decode


def _time_to_wire(moment_ns: int) -> str:
    if not moment_ns:
        return _ZERO_TIME
    seconds, nanoseconds = divmod(moment_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{nanoseconds:09}".rstrip("0").rstrip(".") + "Z"


def _time_from_wire(text: str | None, path: str) -> int:
    """Read a time to the nanosecond. One out of our range is moved to its edge, so that Go's zero time is our 0."""
    if text is None:
        return 0
    found = _RFC_3339.fullmatch(text)
    if found is None:
        raise Malformed("no time as of RFC 3339", path)
    second, fraction, zone = found.groups(default="0")
    try:
        since = datetime.fromisoformat(second + zone) - _EPOCH
    except ValueError as error:
        raise Malformed("no time as of RFC 3339", path) from error
    moment_ns = (since.days * 86_400 + since.seconds) * 10**9 + int(fraction[:9].ljust(9, "0"))
    return min(max(moment_ns, 0), _MOST_NANOSECONDS)


_ZERO_TIME = "0001-01-01T00:00:00Z"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
