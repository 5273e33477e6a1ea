"""`atomizer nodes` and `atomizer inspect`: what the nodes of a fleet say of themselves, for people and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from ..masking import masked_line, masked_message, one_line
from .complaint import USAGE, Complaint
from .visiting import Said
from .writing import as_json as written
from .writing import joined, moment, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..inspection import BondReport, Inspection, NodeReport
    from ..runtime import Atomizer

__all__ = ("bonds_of", "nodes_of")

_FIGURES = ("slots", "running", "waiting", "suspended", "completed", "failed")
_NODE = ("node", "state", "since", "where", "version", *_FIGURES, "atoms", "health")
_BOND = ("electron", "atom", "node", "state", "since", "deadline", "attempt", "progress", "parent")


async def nodes_of(runtime: Atomizer, seconds: float, *, as_json: bool) -> Said:
    """List the other nodes that answer within some seconds."""
    reports = [report for report in await runtime.nodes(seconds=seconds) if report.node != runtime.name]
    if as_json:
        return Said(written([structs.asdict(_masked(report)) for report in reports]), bool(reports))
    return Said(_nodes_for_people(reports) or f"no node answered within {seconds:g} s", bool(reports))


async def bonds_of(runtime: Atomizer, electron: str | None, node: str | None, seconds: float, *, as_json: bool) -> Said:
    """List what the other nodes have under way: all of it, or one electron."""
    try:
        found = await runtime.inspect(electron, node=node, seconds=seconds)
    except ValueError as error:
        raise Complaint(str(error), exit_code=USAGE) from error
    others = tuple(name for name in found.nodes if name != runtime.name)
    is_anything = bool(found.bonds if electron else others)
    if as_json:
        answer = {"nodes": others, "left_out": found.left_out, "bonds": [_bond_of(each) for each in found.bonds]}
        return Said(written(answer), is_anything)
    return Said(_bonds_for_people(found, len(others), electron), is_anything)


def _masked(report: NodeReport) -> NodeReport:
    return structs.replace(report, reasons=tuple(map(masked_message, report.reasons)))


def _bond_of(bond: BondReport) -> dict[str, Any]:
    return {**structs.asdict(bond), "note": masked_message(bond.note)}


def _nodes_for_people(reports: Sequence[NodeReport]) -> str:
    rows = [
        (*_node_cells(report), "ok" if report.ok else "; ".join(map(masked_line, report.reasons))) for report in reports
    ]
    return table([_NODE, *rows]) if rows else ""


def _node_cells(report: NodeReport) -> tuple[str, ...]:
    atoms = len(report.atoms) + report.atoms_left_out
    return (
        report.node,
        f"{report.state}, {len(report.paused)} paused" if report.paused else report.state,
        moment(report.since),
        f"{report.host}:{report.pid}",
        report.version,
        *(f"{getattr(report, figure):,}" for figure in _FIGURES),
        f"{atoms:,}" if report.serves else "only asks",
    )


def _bonds_for_people(found: Inspection, nodes: int, electron_id: str | None) -> str:
    said = f"{nodes} {'node' if nodes == 1 else 'nodes'} answered"
    if not found.bonds:
        return f"{said}: {f'none has {one_line(electron_id)}' if electron_id else 'nothing is under way'}"
    more = f", and {found.left_out:,} more that did not fit into an answer" if found.left_out else ""
    rows = [_bond_cells(bond) for bond in found.bonds]
    return f"{table([_BOND, *rows])}\n{said}: {len(rows):,} under way{more}"


def _bond_cells(bond: BondReport) -> tuple[str, ...]:
    progress = "" if bond.progress is None else masked_line(joined(str(bond.progress)))
    return (
        bond.electron_id,
        bond.atom_id,
        bond.node,
        bond.state,
        moment(bond.since),
        moment(bond.deadline) or "none",
        str(bond.attempt),
        progress,
        bond.parent,
    )
