"""
Hypothesis strategies: whatever may travel, for properties that hold of all of it.

.. code-block:: python

    @given(electrons(atom_id=st.just("shop.charge"), payload=payloads()))
    def test_ledger_takes_every_electron(electron: Electron) -> None:
        assert Ledger().enter(electron).id == electron.id

Every field is drawn, within the bounds of the wire, by what its struct declares; so what is drawn today may be what a
newer node sends tomorrow. By keyword, each function takes strategies of your own for single fields.

This is the one module of the kit that needs hypothesis: `pip install atomizer-engine[testing]`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as _missing:
    if _missing.name != "hypothesis":
        raise
    raise ModuleNotFoundError(
        "atomizer.testing.strategies needs hypothesis: pip install 'atomizer-engine[testing]'", name=_missing.name
    ) from _missing

from msgspec import Struct, inspect, structs

from ..electron import JSON, RAW, Electron
from ..envelope import UNCLAIMED, DeadLetter
from ..failure import Ending, Failure, FailureKind
from ..json_values import encode_value
from ..options import Options
from ..payload import EMPTY, Payload
from ..properties import Progress, Properties
from ..retry import Fail, Requeue, Retry

__all__ = (
    "atom_ids",
    "dead_letters",
    "electrons",
    "failures",
    "json_values",
    "modes",
    "options",
    "payloads",
    "progress",
    "properties",
)

S = TypeVar("S", bound=Struct)
Fields: TypeAlias = Mapping[str, st.SearchStrategy[Any]]

_LONGEST_TEXT = 1_000  # characters, where the wire has no bound of its own
_LARGEST = 2**63 - 1  # where the wire has no bound of its own; beyond it, not every language reads a number
_LONGEST_SECONDS = 1e9  # of `Options` and failure modes


def electrons(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Electron]:
    """
    Draw electrons. The payload is what its content type says.

    Args:
        fields: Strategies for single fields, by name; `payload` may draw a `Payload` with its own content type.

    Raises:
        TypeError: An electron has no such field.
    """
    ids = {"id": _texts(1, 256), "atom_id": atom_ids(), "payload": payloads()}
    return _built(Electron, ids | fields, "payload")


def properties(*, failed: bool | None = None, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Properties]:
    """
    Draw properties: with a result, which is what its content type says, or with a failure.

    Args:
        failed: Whether there is a failure; None means either.
        fields: Strategies for single fields, by name; `result` may draw a `Payload` with its own content type.

    Raises:
        TypeError: Properties have no such field.
    """
    if failed is None:
        return properties(failed=False, **fields) | properties(failed=True, **fields)
    own: Fields = {"failure": failures(), "result": st.just(EMPTY)}
    if not failed:
        own = {"failure": st.none(), "result": payloads()}
    return _built(Properties, {**own, **fields}, "result")


def failures(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Failure]:
    """
    Draw failures, of newer kinds too.

    Args:
        fields: Strategies for single fields, by name.

    Raises:
        TypeError: A failure has no such field.
    """
    return _built(Failure, {**_WORDS[Failure], **fields})


def progress(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Progress]:
    """
    Draw progress.

    Args:
        fields: Strategies for single fields, by name.

    Raises:
        TypeError: Progress has no such field.
    """
    return _built(Progress, fields)


def dead_letters(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[DeadLetter]:
    """
    Draw dead letters. Their bodies are any bytes, as those are that could not be read.

    Args:
        fields: Strategies for single fields, by name.

    Raises:
        TypeError: A dead letter has no such field.
    """
    reasons = st.sampled_from((*map(str, FailureKind), UNCLAIMED)) | _texts(0, 64)
    return _built(DeadLetter, {"reason": reasons, **fields})


def options(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Options]:
    """
    Draw options, each of them said or not.

    Args:
        fields: Strategies for single fields, by name. A soft limit that is not below the limit is drawn without it.

    Raises:
        TypeError: Options have no such field.
    """
    seconds = {field.name: _seconds() for field in structs.fields(Options) if field.type == float | None}
    own: Fields = {
        **seconds,
        "delay": st.none() | st.floats(0.0, _LONGEST_SECONDS),  # one without end would never be delivered
        "id": st.none() | _texts(1, 256),
        "retry": st.none() | modes(),
    }
    return _built(Options, {**own, **fields}, make=_options)


def modes() -> st.SearchStrategy[Fail | Retry | Requeue]:
    """Draw failure modes, as `Options(retry=…)` takes them."""
    attempts, seconds = st.integers(1, 1_000), st.floats(0.0, _LONGEST_SECONDS)
    names = st.sampled_from((ValueError, OSError, "shop.errors.Declined"))
    on = st.lists(names, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Fail),
        st.builds(Retry, attempts=attempts, backoff=seconds, jitter=st.floats(0.0, 1.0), on=on),
        st.builds(Requeue, attempts=attempts, delay=seconds, on=on),
    )


def payloads() -> st.SearchStrategy[Payload]:
    """Draw encoded values with their content types: JSON, raw bytes, and what has a type of its own."""
    other = st.sampled_from((RAW, RAW, "text/plain", "image/png")) | _texts(0, 128).filter(lambda text: text != JSON)
    return st.one_of(
        st.just(EMPTY),
        json_values().map(lambda value: Payload(encode_value(value), JSON)),
        st.builds(Payload, st.binary(max_size=_LONGEST_TEXT), other),
    )


def json_values() -> st.SearchStrategy[Any]:
    """Draw values that travel as JSON and arrive as they were: no NaN, no infinity, keys that are text."""
    flat = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | _numbers() | _texts(0, _LONGEST_TEXT)
    return st.recursive(
        flat,
        lambda parts: st.lists(parts, max_size=4) | st.dictionaries(_texts(0, 40), parts, max_size=4),
        max_leaves=12,
    )


def atom_ids() -> st.SearchStrategy[str]:
    """Draw atom ids: dotted names as modules give them, and any other text that is one."""
    letters = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=20)
    return st.lists(letters, min_size=1, max_size=5).map(".".join) | _texts(1, 256)


def _built(
    struct: type[S], fields: Fields, bytes_field: str = "", make: Callable[..., S] | None = None
) -> st.SearchStrategy[S]:
    """
    Draw a struct, each field by its own strategy or by what is declared of it.

    Args:
        struct: The struct.
        fields: Strategies for some fields.
        bytes_field: Which field may be drawn as a `Payload`, whose content type is the struct's then.
        make: What makes it of its fields; the struct itself if not given.
    """
    names = struct.__struct_fields__
    if unknown := [name for name in fields if name not in names]:
        raise TypeError(f"{struct.__name__} has no field {unknown[0]!r}; it has {', '.join(names)}")
    declared = {field.name: field.type for field in structs.fields(struct)}
    drawn = {name: fields[name] if name in fields else _declared(declared[name]) for name in names}

    def made(**members: Any) -> S:
        payload = members.get(bytes_field)
        if isinstance(payload, Payload):
            members[bytes_field] = payload.body
            if "content_type" not in fields:
                members["content_type"] = payload.content_type
        return (make or struct)(**members)

    return st.builds(made, **drawn)


def _options(**members: Any) -> Options:
    """Make options, the soft limit left out where the limit ends it before."""
    try:
        return Options(**members)
    except ValueError:
        if members["soft_limit"] is None or members["limit"] is None:
            raise
        return Options(**{**members, "soft_limit": None})


def _declared(declared: Any) -> st.SearchStrategy[Any]:
    """Draw what an annotation allows."""
    return _of(inspect.type_info(declared))


def _of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    simple = _SIMPLE.get(type(kind))
    if simple is not None:
        return simple(kind)
    if isinstance(kind, inspect.UnionType):
        types = sorted(kind.types, key=lambda each: not isinstance(each, inspect.NoneType))  # the simplest is first
        return st.one_of([_of(each) for each in types])
    if isinstance(kind, inspect.VarTupleType):
        most = 3 if kind.max_length is None else min(3, kind.max_length)
        return st.lists(_of(kind.item_type), min_size=kind.min_length or 0, max_size=most).map(tuple)
    if isinstance(kind, inspect.StructType):
        return _built(kind.cls, _WORDS.get(kind.cls, {}))
    raise TypeError(f"no strategy for {kind}: say how it is drawn in atomizer.testing.strategies")


def _integers(kind: Any) -> st.SearchStrategy[int]:
    return st.integers(-_LARGEST if kind.ge is None else kind.ge, _LARGEST if kind.le is None else kind.le)


def _floats(kind: Any) -> st.SearchStrategy[float]:
    most = sys.float_info.max
    return st.floats(-most if kind.ge is None else kind.ge, most if kind.le is None else kind.le)


_SIMPLE: dict[type[inspect.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.NoneType: lambda _: st.none(),
    inspect.BoolType: lambda _: st.booleans(),
    inspect.IntType: _integers,
    inspect.FloatType: _floats,
    inspect.StrType: lambda kind: _texts(kind.min_length or 0, kind.max_length or _LONGEST_TEXT),
    inspect.BytesType: lambda kind: st.binary(min_size=kind.min_length or 0, max_size=kind.max_length or _LONGEST_TEXT),
    inspect.LiteralType: lambda kind: st.sampled_from(kind.values),
    inspect.EnumType: lambda kind: st.sampled_from(list(kind.cls)),
}


def _texts(shortest: int, longest: int) -> st.SearchStrategy[str]:
    return st.text(min_size=shortest, max_size=longest)


def _numbers() -> st.SearchStrategy[float]:
    return st.floats(allow_nan=False, allow_infinity=False)


def _seconds() -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(0.0, _LONGEST_SECONDS) | st.just(float("inf"))


_WORDS: dict[type[Struct], Fields] = {
    Failure: {
        "kind": st.sampled_from(FailureKind).map(str) | _texts(0, _LONGEST_TEXT),
        "ending": st.just("") | st.sampled_from(Ending).map(str) | _texts(0, _LONGEST_TEXT),
    },
}
"""Fields whose type says less than is known of them, by struct."""
