"""What commands write: no line but their own, nothing that steers a terminal, no secret, and JSON that stays JSON."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner

from atomizer import BondReport, Inspection, MemoryConductor, NodeReport
from atomizer._cli.fleet import _bonds_for_people, _nodes_for_people
from atomizer._cli.watching import _line
from atomizer._cli.writing import event_line, table
from atomizer.cli import main
from atomizer.events import ElectronFailed, ElectronRequeued

from .letters import lay, letter

EVIL = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202eevil"
SECRETS = 'GET https://h/x?token=GEHEIM" failed, Authorization: Bearer GEHEIM, password: GEHEIM'


def failed(error: str, node: str = "n") -> ElectronFailed:
    """Make the event of an electron that failed."""
    return ElectronFailed(node=node, at_ns=1, electron_id="e", atom_id="a", error=error, failure="failed")


@pytest.mark.parametrize(
    "written",
    [
        _line(failed(EVIL, "n\nroot  running"), as_json=False),
        event_line(failed(f"1\n2{EVIL}"), as_json=False),
        table([("a\nb", EVIL)]),
        _bonds_for_people(Inspection(bonds=(), nodes=()), 0, f"e\n{EVIL}"),
    ],
    ids=["events", "run", "table", "inspect"],
)
def test_nobody_writes_a_line_or_a_control_character_into_a_terminal(written: str) -> None:
    """Names, errors and notes are other people's words."""
    assert written.isprintable()
    assert "evil" in written


def test_cells_of_a_fleet_steer_no_terminal() -> None:
    """Whatever a node says of itself, or an atom of its progress."""
    bond = BondReport(electron_id="e", atom_id="a", node="n", done=1.0, note=EVIL)
    bonds = _bonds_for_people(Inspection(bonds=(bond,), nodes=("n",)), 1, None)
    nodes = _nodes_for_people([NodeReport(node="n\nroot", host=EVIL, ok=False, reasons=(f"lost\n{EVIL}",))])

    assert [line.isprintable() for line in bonds.splitlines()] == [True] * 3
    assert [line.isprintable() for line in nodes.splitlines()] == [True] * 2


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("event", [failed(SECRETS), ElectronRequeued(node="n", reason=SECRETS)], ids=["error", "why"])
def test_events_are_written_without_secrets(event: ElectronFailed | ElectronRequeued, as_json: bool) -> None:
    """As `--log` writes them."""
    assert "GEHEIM" not in event_line(event, as_json=as_json)


def test_masked_event_is_still_json() -> None:
    """A quote behind a secret belongs to the text, and not to the secret."""
    said = json.loads(event_line(failed(SECRETS), as_json=True))

    assert said["error"].startswith("GET https://h/x?token=***")
    assert said["failure"] == "failed"


def test_letter_is_shown_to_machines_as_it_is() -> None:
    """Whoever asks for a payload gets it, and all of it, whatever it looks like."""
    payload = {"webhook": "https://bot:s3cret@hooks.example/x", "next": 'https://h/p?page_token=abc"d'}
    MemoryConductor._shared.pop("tests-cli-writing", None)
    hub = MemoryConductor.from_url("memory://tests-cli-writing")
    asyncio.run(lay(hub, letter("e1", payload=json.dumps(payload).encode())))

    shown = CliRunner().invoke(main, ["dead", "show", "e1", "--json", "--conductor", "memory://tests-cli-writing"])

    assert json.loads(shown.stdout)[0]["electron"]["payload"] == payload
