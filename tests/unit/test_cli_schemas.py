"""What `atomizer atoms` says of an atom is what the atom takes and gives."""

from __future__ import annotations

import json
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from msgspec import Struct

import atomizer
from atomizer import Bond, Electron, Malformed
from atomizer._cli.schemas import describe, schemas_of
from atomizer.atom import definition_of
from atomizer.bounds import INSIDE
from atomizer.cli import main
from atomizer.electron import JSON, RAW

if TYPE_CHECKING:
    from tests.unit.conftest import Project


class Line(Struct):
    """One line of an order."""

    article: str
    count: int = 1
    picture: bytes = b""


@atomizer.atom(id="total", route="sums", options=atomizer.Options(limit=1.5))
async def total(bond: Bond, lines: list[Line], discount: float = 0.0, *, note: str | None = None) -> float:
    """
    Add up an order.

    The rest is not shown.
    """
    return bond.time_left() * len(lines) * discount + len(note or "")


@atomizer.atom(id="crop")
def crop(image: bytes) -> bytes:
    return image


@atomizer.atom(id="maybe")
async def maybe(image: bytes | None = None) -> bytes | None:
    return image


@atomizer.atom(id="ping")
async def ping() -> None: ...


@atomizer.atom(id="anything")
async def anything(it, *, of: object = 3, among: list[object] = []): ...  # noqa: B006  # type: ignore[no-untyped-def]


@atomizer.atom(id="first")
async def first(numbers: list[int]) -> dict[str, Line]:
    return {}


@atomizer.atom(id="endless", options=atomizer.Options(timeout=inf))
async def endless(most: float = inf, hidden: object = object()) -> None: ...


class Till(atomizer.Atom, id="till"):
    """Takes money."""

    async def process(self, conductor: Bond, electron: Electron) -> Line:
        return Line("x")


class Bare(atomizer.Atom, id="bare"):
    async def process(self, conductor: Bond, electron: Electron) -> bytes:
        return b""


def payload(atom: Any) -> dict[str, Any]:
    """Return what is said of an atom's payload."""
    return schemas_of(definition_of(atom))["payload"]


def schema(described: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without the name of its dialect."""
    return {name: value for name, value in described["schema"].items() if name != "$schema"}


def is_taken(atom: Any, body: bytes, content_type: str = JSON) -> bool:
    """Whether an atom's arguments can be made of a payload."""
    electron = Electron(id="1", atom_id="x", sender="me", payload=body, content_type=content_type)
    try:
        definition_of(atom).arguments(electron, INSIDE)
    except Malformed:
        return False
    return True


def test_several_parameters_are_an_object_by_name() -> None:
    """Without the bond; what has a default is not required; other names are refused."""
    described = payload(total)
    body = schema(described)

    assert described["content_types"] == [JSON]
    assert described["may_be_empty"] is False
    assert body["type"] == "object"
    assert body["required"] == ["lines"]
    assert body["additionalProperties"] is False
    assert body["properties"]["lines"] == {"type": "array", "items": {"$ref": "#/$defs/Line"}}
    assert body["properties"]["discount"] == {"type": "number", "default": 0.0}
    assert body["properties"]["note"] == {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}


def test_bytes_inside_a_value_are_base64() -> None:
    """That is how JSON carries them."""
    line = schema(payload(total))["$defs"]["Line"]

    assert line["properties"]["picture"] == {"type": "string", "contentEncoding": "base64", "default": ""}
    assert line["required"] == ["article"]


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (b'{"lines": []}', True),
        (b'{"lines": [], "discount": 0.5, "note": null}', True),
        (b'{"lines": [{"article": "a", "picture": "aGk="}]}', True),
        (b'{"discount": 0.5}', False),
        (b'{"lines": [], "other": 1}', False),
        (b"", False),
        (b"[]", False),
    ],
)
def test_atom_takes_what_its_schema_says(body: bytes, taken: bool) -> None:
    """The schema above, held against the atom."""
    assert is_taken(total, body) is taken


def test_bytes_that_are_the_whole_payload_have_no_json_form() -> None:
    """They travel as they are, and so does a result."""
    described = schemas_of(definition_of(crop))

    for side in ("payload", "result"):
        assert described[side]["content_types"] == [RAW]
        assert schema(described[side]) == {"contentMediaType": RAW}
    assert described["payload"]["may_be_empty"] is True
    assert is_taken(crop, b"", RAW)


def test_bytes_or_something_else_travel_in_both_ways() -> None:
    """The content type says which."""
    described = payload(maybe)

    assert described["content_types"] == [JSON, RAW]
    assert described["may_be_empty"] is True
    assert schema(described) == {
        "anyOf": [{"type": "string", "contentEncoding": "base64"}, {"type": "null"}],
        "default": None,
    }
    assert all(
        is_taken(maybe, body, kind) for body, kind in ((b"null", JSON), (b'"aGk="', JSON), (b"hi", RAW), (b"", JSON))
    )


def test_atom_without_parameters_takes_an_empty_payload() -> None:
    """In three ways of writing nothing."""
    described = payload(ping)

    assert schema(described) == {"enum": [None, {}]}
    assert described["may_be_empty"] is True
    assert [is_taken(ping, body) for body in (b"", b"null", b"{}", b"1")] == [True, True, True, False]


def test_what_has_no_type_may_be_anything() -> None:
    """No annotation and `object` are an empty schema."""
    described = schemas_of(definition_of(anything))

    assert schema(described["payload"])["properties"] == {
        "it": {},
        "of": {"default": 3},
        "among": {"type": "array", "items": {"description": "anything"}, "default": []},
    }
    assert schema(described["result"]) == {}
    assert described["result"]["content_types"] == [JSON, RAW]


def test_one_parameter_is_its_value() -> None:
    """And what it gives is what it declares, with the types inside."""
    described = schemas_of(definition_of(first))

    assert schema(described["payload"]) == {"type": "array", "items": {"type": "integer"}}
    assert described["payload"]["may_be_empty"] is False
    assert described["result"]["schema"]["additionalProperties"] == {"$ref": "#/$defs/Line"}
    assert "Line" in described["result"]["schema"]["$defs"]


def test_class_atom_takes_any_payload_and_gives_what_process_declares() -> None:
    """What it makes of its payload is its own affair."""
    described = schemas_of(definition_of(Till))

    assert described["payload"]["content_types"] == [JSON, RAW]
    assert schema(described["payload"]) == {}
    assert described["result"]["schema"]["$ref"] == "#/$defs/Line"


def test_description_has_what_its_author_wrote() -> None:
    """Types as they are written, the first line of the docstring, and the options."""
    described = describe(definition_of(total))

    assert {name: described[name] for name in ("id", "route", "form", "doc", "result_type", "options")} == {
        "id": "total",
        "route": "sums",
        "form": "function",
        "doc": "Add up an order.",
        "result_type": "float",
        "options": {"limit": 1.5},
    }
    assert described["parameters"] == [
        {"name": "lines", "type": "list[Line]", "required": True},
        {"name": "discount", "type": "float", "required": False, "default": "0.0"},
        {"name": "note", "type": "str | None", "required": False, "default": "None"},
    ]


def test_default_that_json_cannot_say_is_left_out() -> None:
    """It never travels. An option without end is a word."""
    described = describe(definition_of(endless))

    assert schema(described["payload"])["properties"] == {"most": {"type": "number"}, "hidden": {}}
    assert described["options"] == {"timeout": "inf"}


def test_class_atom_is_described_by_its_own_docstring() -> None:
    """Not by that of the class it is derived from."""
    assert [describe(definition_of(each))["doc"] for each in (Till, Bare)] == ["Takes money.", ""]


CODE = '''
from __future__ import annotations
import atomizer

@atomizer.atom
async def add(a: int, b: int = 0) -> int:
    """Add two numbers."""

class Till(atomizer.Atom, route="tills", options=atomizer.Options(limit=2.0)):
    async def process(self, conductor, electron): ...
'''


def test_atoms_are_listed_for_people(project: Project) -> None:
    """Id, doc, what it takes and gives; route and options where something was said."""
    project(listed=CODE)

    ended = CliRunner().invoke(main, ["atoms", "listed"])

    assert ended.exit_code == 0
    assert ended.stdout.splitlines() == [
        "listed.add",
        "  Add two numbers.",
        "  takes   a: int, b: int = 0",
        "  gives   int",
        "",
        "listed.Till",
        "  takes   one payload",
        "  gives   Any",
        "  route   tills",
        "  options limit=2.0",
    ]


def test_atoms_are_listed_for_machines(project: Project) -> None:
    """All of it as JSON, or the schemas alone by atom id."""
    project(listed=CODE)

    everything = json.loads(CliRunner().invoke(main, ["atoms", "listed", "--json"]).stdout)
    schemas = json.loads(CliRunner().invoke(main, ["atoms", "listed:add", "--schema"]).stdout)

    assert [each["id"] for each in everything] == ["listed.add", "listed.Till"]
    assert list(schemas) == ["listed.add"]
    assert schemas["listed.add"] == {side: everything[0][side] for side in ("payload", "result")}
    assert schemas["listed.add"]["payload"]["schema"]["required"] == ["a"]


CONFINED = """
import atomizer

@atomizer.atom(isolation="process", concurrency=3)
def draw(number: int) -> int: ...

@atomizer.atom(singleton=True)
async def alone() -> None: ...

@atomizer.atom
async def free() -> None: ...
"""


def test_where_and_how_often_at_once_an_atom_runs_is_shown(project: Project) -> None:
    """To people in words, where there is something to say; to machines always."""
    project(confined=CONFINED)

    people = CliRunner().invoke(main, ["atoms", "confined"]).stdout
    machines = json.loads(CliRunner().invoke(main, ["atoms", "confined", "--json"]).stdout)

    said = {each["id"].rpartition(".")[2]: (each["isolation"], each["concurrency"]) for each in machines}
    assert said == {"draw": ("process", 3), "alone": (None, 1), "free": (None, None)}
    runs = [line.split(maxsplit=1)[1] for line in people.splitlines() if line.startswith("  runs")]
    assert runs == ["in a child process, at most 3 times at a time", "at most once at a time"]
