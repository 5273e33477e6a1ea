"""`atomizer atoms`: what the atoms of some targets take and give, for people and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..masking import masked_line
from .schemas import describe, schemas_of
from .targets import collect, registry_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .schemas import Schema

__all__ = ("list_atoms",)


def list_atoms(targets: Sequence[str], *, as_json: bool, only_schemas: bool) -> str:
    """
    List the atoms of targets.

    Args:
        targets: As in `module` or `module:name`.
        as_json: Everything, as a JSON array.
        only_schemas: What travels alone, as a JSON object by atom id.

    Raises:
        Complaint: A target is not as it should be.
    """
    definitions = [each.definition for each in registry_of(collect(targets)).registrations]
    if only_schemas:
        return _json({each.atom_id: schemas_of(each) for each in definitions})
    if as_json:
        return _json([describe(each) for each in definitions])
    return "\n\n".join(_for_people(describe(each)) for each in definitions)


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str)).decode()


def _for_people(atom: Schema) -> str:
    taken = ", ".join(_parameter(each) for each in atom["parameters"])
    options = ", ".join(f"{name}={value!r}" for name, value in atom["options"].items())
    rows = {
        "takes": taken or ("one payload" if atom["form"] == "class" else "nothing"),
        "gives": atom["result_type"],
        "route": atom["route"] if atom["route"] != atom["id"] else "",
        "runs": _how_it_runs(atom),
        "options": options,
    }
    title = [atom["id"], *([f"  {atom['doc']}"] if atom["doc"] else [])]
    return "\n".join([*title, *(f"  {name:<8}{masked_line(text)}" for name, text in rows.items() if text)])


def _how_it_runs(atom: Schema) -> str:
    bound = atom["concurrency"]
    at_once = f"at most {'once' if bound == 1 else f'{bound} times'} at a time" if bound else ""
    isolated = "in a child process" if atom["isolation"] == "process" else ""
    return ", ".join(filter(None, (isolated, at_once)))


def _parameter(parameter: Schema) -> str:
    default = "" if parameter["required"] else f" = {parameter['default']}"
    return f"{parameter['name']}: {parameter['type']}{default}"
