"""Imports point one way."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture.sources import Import, Module, imports_of, modules

VALUES = (
    ("errors", "masking", "settings", "distribution"),
    ("bounds", "json_values"),
    ("failure", "trials", "electron", "properties", "inspection", "envelope", "control", "retry", "events", "options"),
    ("tolerant", "kinds", "event_words", "go_dialect", "native_json", "messagepack", "codec"),
)
CONTRACT = ("cancellation", "conductor")
DECIDERS = (
    "admission",
    "answered",
    "circle",
    "correlation",
    "credit",
    "disposition",
    "event_batches",
    "event_filter",
    "intake",
    "interests",
    "lifecycle",
    "link_state",
    "remember",
    "routes",
    "slow_start",
)
"""The pure part of the core: no clock, no loop, no wire."""

WIRE = ("framing",)
CHILDS_SIDE = (
    WIRE,
    ("main_module", "soft_limit", "lifeline", "functions", "coroutines", "running", "surroundings", "answer_line"),
    ("program",),
)
RUNTIMES_SIDE = (
    ("death", "reaping", "launching", "channel", "child_process"),
    ("processes",),
)
"""Both sides of the wire to child processes. `main_module` is known on both, and nothing else is."""

LAYERS = (
    *VALUES,
    CONTRACT,
    ("annotations", "payload", "definition", "reference", "function_atom", "atom", "bond", "state"),
    ("registration", "registry"),
    ("memory_queue", "memory_listening", "memory_hub", "memory_connection", "memory", "schemes", "processors"),
    ("first_conductor", "node_name"),
    tuple(f"_core.{name}" for name in DECIDERS),
    ("_core.ended", "_core.soft_cancellation", "_core.surrounding", "_core.trace_context", "_core.event_ring"),
    (
        "_core.looking",
        "_core.report",
        "_core.stopping",
        "_core.back_off",
        "_core.blocking_line",
        "_core.block_lines",
        "_core.seam",
    ),
    ("_core.tasks", "_core.threads", "_core.alarm", "_core.gate"),
    *(tuple(f"_core.children.{name}" for name in side) for side in (*CHILDS_SIDE, *RUNTIMES_SIDE)),
    ("_core.identity", "_core.broadcast", "_core.slots", "_core.confinement", "_core.softening", "_core.outcome"),
    (
        "_core.supervision",
        "_core.turn",
        "_core.turns",
        "_core.outbound",
        "_core.flight",
        "_core.letters",
        "_core.lending",
        "_core.answering",
        "_core.attempts",
        "_core.reception",
        "_core.flights",
        "_core.straight_line",
        "_core.ways",
        "_core.at_once",
        "_core.pump",
        "_core.standstill",
        "_core.granting",
        "_core.letting_go",
        "_core.pausing",
        "_core.process_pool",
        "_core.unanswered",
        "_core.liveness",
        "_core.watchdog",
        "_core.bond_report",
        "_core.inspecting",
        "_core.publishing",
        "_core.following",
        "_core.fleet",
    ),
    ("_core.node",),
    (
        *("handle", "results", "health", "asker", "bonded", "telling", "observing", "operating"),
        *("replay", "dead_place", "dead_letters", "runtime", "script", "telemetry"),
    ),
    ("_cli", "cli", "__main__", "_on_first_use", "testing"),
)
"""From the values up to the door. A module imports from its own layer and those before it; a new one is put here."""

KIN_OF_THE_RUNTIME = {
    *("runtime", "handle", "results", "health", "asker", "bonded", "telling", "observing", "operating"),
    *("replay", "dead_place", "dead_letters", "telemetry", "cli"),
}
"""Who may see the core, besides itself."""

SEEN_BY_CONDUCTORS = {"atomizer", *(f"atomizer.{name}" for layer in (*VALUES, CONTRACT) for name in layer)}
"""Errors, values and the contract. A name taken from the top counts as taken from where it is defined."""

MAY_NAME = {"atomizer._core.disposition": {"asyncio"}}
"""What a decider imports for a name alone: the disposition tells a cancellation from other exceptions."""

IMPURE = {"aio_pika", "anyio", "asyncio", "os", "random", "selectors", "socket", "subprocess", "threading", "time"}

LAYER_OF = {f"atomizer.{name}": height for height, layer in enumerate(LAYERS) for name in layer}
PACKAGES = {"atomizer", "atomizer._core", "atomizer._core.children"}
ATOMIZER = [module for module in modules("atomizer") if module.name not in PACKAGES]
CONDUCTORS = [*modules("conductors"), *(m for m in ATOMIZER if m.name.startswith("atomizer.memory"))]


def name_of(module: Module) -> str:
    """Name a test after the module it looks at."""
    return module.name


def layer_of(name: str) -> int | None:
    """Return how high a module of ours stands, or None for one that is not ours."""
    parts = name.split(".")
    lengths = range(len(parts), 0, -1)
    return next((LAYER_OF[head] for length in lengths if (head := ".".join(parts[:length])) in LAYER_OF), None)


def at_run_time(module: Module) -> list[Import]:
    """List a module's imports, but those that only a type checker sees."""
    return [found for found in imports_of(module) if not found.for_types_only]


@pytest.mark.parametrize("module", ATOMIZER, ids=name_of)
def test_module_has_a_layer(module: Module) -> None:
    """Every module of atomizer stands in one layer of the table above."""
    height = layer_of(module.name)

    assert height is not None, f"{module.name} is new: put it into LAYERS, as low as it can stand"


@pytest.mark.parametrize("module", ATOMIZER, ids=name_of)
def test_module_imports_only_downwards(module: Module) -> None:
    """No module imports one of a higher layer, not even inside a function."""
    height = layer_of(module.name)

    upwards = [
        f"line {found.line}: {found.target}"
        for found in at_run_time(module)
        if height is not None and (layer_of(found.target) or 0) > height
    ]

    assert not upwards


@pytest.mark.parametrize("module", modules("atomizer"), ids=name_of)
def test_the_two_sides_of_the_wire_to_child_processes_do_not_see_each_other(module: Module) -> None:
    """They meet in the framing: what a child process loads is paid for at every start."""
    name = module.name.removeprefix("atomizer._core.children.")
    child, runtime = ({each for layer in side for each in layer} for side in (CHILDS_SIDE[1:], RUNTIMES_SIDE))
    others = child - {"main_module"} if name in runtime else runtime if name in child else set[str]()

    assert not others & {found.target.removeprefix("atomizer._core.children.") for found in at_run_time(module)}


def test_imports_of_atomizer_have_no_circle() -> None:
    """There is an order in which every module can be loaded after all those it imports."""
    graph = {module.name: {found.target for found in at_run_time(module)} for module in ATOMIZER}

    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        pytest.fail(f"imports go round: {' → '.join(circle.args[1])}")

    assert set(graph) <= set(order)


@pytest.mark.parametrize("module", ATOMIZER, ids=name_of)
def test_core_is_seen_by_the_runtime_and_its_kin_only(module: Module) -> None:
    """Nobody else imports `_core`, not even for types: what they need of it is said in a contract."""
    may = module.name.removeprefix("atomizer.").split(".")[0] in {"_core", *KIN_OF_THE_RUNTIME}

    seen = [f"line {found.line}: {found.target}" for found in imports_of(module) if "_core" in found.target.split(".")]

    assert may or not seen


@pytest.mark.parametrize("module", modules("atomizer"), ids=name_of)
def test_atomizer_does_not_import_conductors(module: Module) -> None:
    """A transport is found by the scheme of its URL, and atomizer knows none by name, not even for types."""
    found = [f"line {found.line}" for found in imports_of(module) if found.target.split(".")[0] == "conductors"]

    assert not found


@pytest.mark.parametrize("module", ATOMIZER, ids=name_of)
def test_pytest_is_imported_by_its_plugin_only(module: Module) -> None:
    """The test kit serves every framework: what is pytest's is in the plugin alone."""
    found = {found.target.split(".")[0] for found in imports_of(module)}

    assert "pytest" not in found or module.name == "atomizer.testing.pytest_plugin"


@pytest.mark.parametrize("module", ATOMIZER, ids=name_of)
def test_imports_inside_atomizer_are_relative_and_near(module: Module) -> None:
    """Inside atomizer an import is relative, and goes up two dots at most: three from a package in a package."""
    wrong = [
        f"line {found.line}: {'.' * found.dots}{found.target}"
        for found in imports_of(module)
        if found.dots > (3 if module.name.startswith("atomizer._core.children.") else 2)
        or (found.dots == 0 and found.target.split(".")[0] == "atomizer")
    ]

    assert not wrong


@pytest.mark.parametrize("module", CONDUCTORS, ids=name_of)
def test_conductors_see_contracts_values_and_errors_only(module: Module) -> None:
    """A transport knows nothing of the engine, ours no more than a third party's."""
    own = {other.name for other in CONDUCTORS}
    home = {found.name: found.target for top in modules("atomizer")[:1] for found in imports_of(top)}

    seen = {
        home.get(found.name, "atomizer") if found.target == "atomizer" else found.target
        for found in imports_of(module)
        if found.target.split(".")[0] == "atomizer"
    }

    assert seen <= SEEN_BY_CONDUCTORS | own


@pytest.mark.parametrize(
    "module", [m for m in ATOMIZER if m.name.removeprefix("atomizer._core.") in DECIDERS], ids=name_of
)
def test_deciders_of_the_core_are_pure(module: Module) -> None:
    """What decides has no clock, no loop and no wire near it, so a test can call it with plain values."""
    found = {found.target.split(".")[0] for found in at_run_time(module)}

    assert not found & IMPURE - MAY_NAME.get(module.name, set())
