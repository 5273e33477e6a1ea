"""Settings written as text: on the command line, and in the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from ..errors import nearest
from ..settings import Settings
from .complaint import USAGE, Complaint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ("fields_said", "settings_of", "wrong_variables")

_PREFIX = "ATOMIZER_"
_TYPES = {field.name: field.type for field in structs.fields(Settings) if field.name not in ("clock", "random")}


def settings_of(given: Mapping[str, object]) -> Settings:
    """
    Make settings of what the command line says and, for the rest, of the environment.

    Raises:
        Complaint: A value is outside its range; the message names the option or the variable.
    """
    try:
        return Settings.from_env(**given)
    except ValueError as error:
        raise Complaint(str(error), exit_code=USAGE) from error


def fields_said(pairs: Iterable[str]) -> dict[str, object]:
    """
    Read `FIELD=VALUE` pairs.

    Raises:
        Complaint: There is no such field, or it does not take that value.
    """
    return dict(_read(pair) for pair in pairs)


def _read(pair: str) -> tuple[str, object]:
    field, found, text = pair.partition("=")
    if not found:
        raise Complaint(f"--set takes FIELD=VALUE, as in --set slots=8, and not {pair!r}", exit_code=USAGE)
    if field not in _TYPES:
        raise Complaint(f"--set: there is no setting {field!r}; {_near(field)}", exit_code=USAGE)
    if reason := _refusal(field, text):
        raise Complaint(f"--set {field}: {reason}", exit_code=USAGE)
    return field, msgspec.convert(text, _TYPES[field], strict=False)


def wrong_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """Say of each variable of the environment what is wrong with it, where something is."""
    variables = os.environ if environment is None else environment
    said = [_complaint_of(name, variables[name]) for name in sorted(variables) if name.startswith(_PREFIX)]
    return [complaint for complaint in said if complaint]


def _complaint_of(variable: str, text: str) -> str:
    field = variable.removeprefix(_PREFIX).lower()
    if variable != f"{_PREFIX}{field.upper()}" or field not in _TYPES:
        return f"{variable} is no setting; {_near(field, _PREFIX)}"
    reason = _refusal(field, text)
    return f"{variable}: {reason}" if reason else ""


def _refusal(field: str, text: str) -> str:
    """Say why a field does not take a text; empty if it does."""
    try:
        msgspec.convert(text, _TYPES[field], strict=False)
    except msgspec.ValidationError as error:
        return f"{error}, and it is {text!r}"
    return ""


def _near(field: str, prefix: str = "") -> str:
    wanted = prefix + (field.upper() if prefix else field)
    return nearest(wanted, [prefix + (name.upper() if prefix else name) for name in _TYPES], known_as="known")
