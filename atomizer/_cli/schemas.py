"""What an atom takes and gives, in the words of its author and as JSON Schema."""

from __future__ import annotations

import inspect
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import structs

from ..annotations import UNTYPED, find_type, may_be_bytes
from ..electron import JSON, RAW
from ..function_atom import FunctionAtom

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..definition import Definition

__all__ = ("Schema", "describe", "schemas_of")

Schema: TypeAlias = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_RAW_BYTES: Schema = {"contentMediaType": RAW}
_BOTH = [JSON, RAW]


def describe(definition: Definition) -> Schema:
    """
    Describe an atom: id, route, form, doc, isolation, concurrency, parameters, result, options, and the schemas of what
    travels. No isolation is the runtime's own process, no concurrency as many as there are slots.
    """
    written = _written(definition)
    return {
        "id": definition.atom_id,
        "route": definition.route,
        "form": "function" if isinstance(definition.plain, FunctionAtom) else "class",
        "doc": _first_line(definition.plain.__doc__),
        "isolation": definition.isolation,
        "concurrency": definition.concurrency,
        "parameters": [_parameter(each) for each in _parameters(definition)],
        "result_type": _shown(inspect.signature(written).return_annotation),
        "options": _options(definition),
        **schemas_of(definition),
    }


def schemas_of(definition: Definition) -> Schema:
    """
    Return what travels to an atom and back: for `payload` and `result` the content types, and a JSON Schema.

    A value of type `bytes` travels as it is and has no JSON form; inside other values bytes are base64 text.
    """
    written = _written(definition)
    result = find_type(written, inspect.signature(written).return_annotation, f"{definition.atom_id}: the result")
    return {"payload": _payload(definition, written), "result": _value(result)}


def _written(definition: Definition) -> Callable[..., Any]:
    plain = definition.plain
    return plain.__wrapped__ if isinstance(plain, FunctionAtom) else plain.process


def _parameters(definition: Definition) -> list[inspect.Parameter]:
    """List the parameters that travel: of a class atom none, its payload is its own affair."""
    if not isinstance(definition.plain, FunctionAtom):
        return []
    return list(inspect.signature(_written(definition)).parameters.values())[definition.wants_bond :]


def _payload(definition: Definition, written: Callable[..., Any]) -> Schema:
    if not isinstance(definition.plain, FunctionAtom):
        return {"content_types": _BOTH, "may_be_empty": True, "schema": _document({})}
    parameters = _parameters(definition)
    hints = [find_type(written, each.annotation, f"{definition.atom_id}: {each.name}") for each in parameters]
    optional = all(each.default is not each.empty for each in parameters)
    if not parameters:
        return {"content_types": [JSON], "may_be_empty": True, "schema": _document({"enum": [None, {}]})}
    if len(parameters) == 1:
        value = _value(hints[0])
        value["schema"] = _with_default(parameters[0], value["schema"])
        return {**value, "may_be_empty": optional or hints[0] is bytes}
    return {"content_types": [JSON], "may_be_empty": optional, "schema": _object(parameters, hints)}


def _value(hint: Any) -> Schema:
    """Describe a value that is all of a payload or a result."""
    if hint in UNTYPED:
        return {"content_types": _BOTH, "schema": _document({})}
    if hint is bytes:
        return {"content_types": [RAW], "schema": _document(_RAW_BYTES)}
    (schema,), components = _generated([hint])
    return {"content_types": _BOTH if may_be_bytes(hint) else [JSON], "schema": _document(schema, components)}


def _object(parameters: Sequence[inspect.Parameter], hints: Sequence[Any]) -> Schema:
    """Describe the object that several parameters travel as."""
    schemas, components = _generated([Any if hint in UNTYPED else hint for hint in hints])
    named = zip(parameters, schemas, strict=True)
    schema = {
        "type": "object",
        "properties": {each.name: _with_default(each, schema) for each, schema in named},
        "required": [each.name for each in parameters if each.default is each.empty],
        "additionalProperties": False,
    }
    return _document(schema, components)


def _generated(hints: Sequence[Any]) -> tuple[tuple[Schema, ...], Schema]:
    return msgspec.json.schema_components(hints, schema_hook=_anything, ref_template="#/$defs/{name}")


def _anything(kind: type) -> Schema:
    """Stand for an `object` inside another type: whatever else msgspec cannot decode was refused at registration."""
    return {"description": "anything"}  # an empty schema counts as none


def _with_default(parameter: inspect.Parameter, schema: Schema) -> Schema:
    if parameter.default is parameter.empty:
        return schema
    try:
        default = msgspec.json.decode(msgspec.json.encode(parameter.default))
    except (TypeError, ValueError):  # a default never travels, so it may be anything
        return schema
    is_sayable = default is not None or parameter.default is None  # JSON has no infinity: it becomes null
    return {**schema, "default": default} if is_sayable else schema


def _document(schema: Schema, components: Schema | None = None) -> Schema:
    return {"$schema": _DIALECT, **schema, **({"$defs": components} if components else {})}


def _parameter(parameter: inspect.Parameter) -> Schema:
    described = {"name": parameter.name, "type": _shown(parameter.annotation)}
    is_required = parameter.default is parameter.empty
    return {**described, "required": is_required} | ({} if is_required else {"default": repr(parameter.default)})


def _shown(annotation: Any) -> str:
    """Write an annotation as its author did; what has none takes or gives anything."""
    if annotation is inspect.Signature.empty:
        return "Any"
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]


def _options(definition: Definition) -> Schema:
    """Return the options that the atom says; no end is "inf", which JSON has no number for."""
    said = structs.asdict(definition.defaults)
    return {name: "inf" if value == inf else value for name, value in said.items() if value is not None}
