"""
`atomizer doctor`: whether everything that a node needs is as it should be.

Only Python and click are needed to say so: any other dependency that is missing is one of the things to be found.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from ..masking import masked, masked_line
from ..processors import usable_cpus
from . import installation, machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution

__all__ = (
    "Check",
    "Diagnosis",
    "check_clock",
    "check_install",
    "check_needs",
    "check_python",
    "examine",
    "examine_with",
)

OK, NOTE, FINDING = "ok", "note", "finding"

_WATCHED = 0.2  # seconds between two looks at the clocks
_JUMP = 0.01  # seconds: far more than what keeps a clock right moves it by in that time
_COARSE = 0.02  # seconds: the coarsest clock that is in common use


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    state: str
    """`ok`, `note` (worth knowing) or `finding` (to be put right)."""
    text: str
    cure: str = ""
    """What to do about it."""


class Diagnosis(NamedTuple):
    """Everything that was looked at."""

    checks: list[Check]

    @property
    def is_well(self) -> bool:
        """Whether nothing was found."""
        return all(check.state != FINDING for check in self.checks)

    def as_json(self) -> str:
        """Write it as one JSON object."""
        return json.dumps({"ok": self.is_well, "checks": [check._asdict() for check in self.checks]}, indent=2)

    def for_people(self) -> str:
        """Write a line for each check, and one for what to do about it."""
        return "\n".join(line for check in self.checks for line in _lines(check))


def _lines(check: Check) -> Iterator[str]:
    yield f"{check.state:<8} {check.name:<13} {check.text}"
    if check.cure:
        yield f"{'':<22} → {check.cure}"


def examine(url: str | None) -> Diagnosis:
    """
    Look at everything. It takes a moment: the clocks are watched, and a conductor is connected and left.

    Args:
        url: The conductor; None means `ATOMIZER_URL`, and without that none is tried.
    """
    found = installation.installed()
    checks = [check_install(found), *check_needs([] if found is None else found.requires or [])]
    return examine_with([*checks, check_python(found), _check_processors(), *_watch_clock()], url)


def examine_with(checks: list[Check], url: str | None) -> Diagnosis:
    """Look at the rest: at what can only be looked at where nothing is missing."""
    if any(check.state == FINDING and check.name == "needs" for check in checks):
        return Diagnosis([*checks, Check("conductor", NOTE, "not tried while something is missing")])
    return Diagnosis([*checks, _check_packages(), *_check_settings(), *_check_conductor(url)])


def check_install(found: Distribution | None) -> Check:
    """Look whether this program is installed, and all of it."""
    if found is None:
        return Check("install", FINDING, f"run from {installation.PACKAGES} without being installed", _REINSTALL)
    if missing := installation.missing_files(found):
        return Check("install", FINDING, f"{len(missing)} of its files are gone, as {missing[0]}", _REINSTALL)
    return Check("install", OK, f"{installation.DISTRIBUTION} {found.version}, run from {installation.PACKAGES}")


def _check_packages() -> Check:
    from ..schemes import what_is_in_the_way  # noqa: PLC0415  # it needs what was just found to be there

    if not (installation.PACKAGES / "conductors" / "__init__.py").exists():
        return Check(
            "conductors", FINDING, f"the package is not beside atomizer in {installation.PACKAGES}", _REINSTALL
        )
    if in_the_way := what_is_in_the_way():
        return Check("conductors", FINDING, f"{in_the_way} is imported in its place", "rename that")
    return Check("conductors", OK, "found beside atomizer")


_REINSTALL = f"pip install --force-reinstall {installation.DISTRIBUTION}"


def check_needs(requirements: list[str]) -> Iterator[Check]:
    """Hold what is installed against the lower bounds of requirements, as metadata has them."""
    needs = installation.needs(requirements)
    for need in needs:
        wanted = f"{need.name} >= {need.lowest}" if need.lowest else need.name
        whole = f"'{installation.DISTRIBUTION}[{need.extra}]'" if need.extra else installation.DISTRIBUTION
        if need.is_too_old:
            yield Check("needs", FINDING, f"{wanted}, and {need.found} is installed", f"pip install --upgrade {whole}")
        elif not need.found and not need.extra:
            yield Check("needs", FINDING, f"{wanted} is not installed", f"pip install {whole}")
    for extra in sorted({need.extra for need in needs if need.extra and not need.found}):
        yield Check("extras", NOTE, f"{extra} is not installed", f"pip install '{installation.DISTRIBUTION}[{extra}]'")
    good = [f"{need.name} {need.found}" for need in needs if need.found and not need.is_too_old]
    if good:
        yield Check("needs", OK, ", ".join(good))


def check_python(found: Distribution | None) -> Check:
    """Hold this Python against the oldest that is allowed."""
    wanted = installation.lowest_python(found)
    said = f"{machine.python()}; loops: {machine.loops()}"
    if installation.numbers(".".join(map(str, sys.version_info[:3]))) < installation.numbers(wanted):
        return Check("python", FINDING, f"{said}; at least {wanted} is needed", "install a newer Python")
    return Check("python", OK, said)


def _check_processors() -> Check:
    return Check("processors", OK, f"{usable_cpus():g} of {os.cpu_count()} may be used")


def _watch_clock() -> Iterator[Check]:
    before = machine.read_clocks()
    time.sleep(_WATCHED)
    yield check_clock(
        machine.clock_jump(before, machine.read_clocks()),
        max(time.get_clock_info(name).resolution for name in ("time", "monotonic")),
        behind=(installation.PACKAGES / "atomizer" / "__init__.py").stat().st_mtime - time.time(),
    )
    if machine.is_clock_synchronised():
        yield Check("clock", OK, "the system says that it is synchronised")


def check_clock(jump: float, resolution: float, *, behind: float) -> Check:
    """
    Judge a clock. A deadline is a moment in UTC, so a wrong clock makes electrons expire early or late.

    Args:
        jump: Seconds by which UTC went against the monotonic clock while both were watched.
        resolution: Seconds between two readings of the coarser clock.
        behind: Seconds by which the clock is behind a moment that has certainly passed.
    """
    said = f"UTC moved {jump * 1e3:+.3f} ms against the monotonic clock in {_WATCHED:g} s; resolution {resolution:g} s"
    keep = "have the system keep its clock right (chrony, systemd-timesyncd)"
    if behind > 1.0:
        return Check("clock", FINDING, f"it is at least {behind:,.0f} s behind: this program is newer", keep)
    if abs(jump) > _JUMP:
        return Check("clock", FINDING, said, keep)
    if resolution > _COARSE:
        return Check("clock", FINDING, said, "short limits and deadlines cannot be held on this machine")
    return Check("clock", OK, said)


def _check_settings() -> Iterator[Check]:
    from .fields import wrong_variables  # noqa: PLC0415  # as above

    wrong = wrong_variables()
    yield from (Check("settings", FINDING, masked_line(complaint), "set it right, or unset it") for complaint in wrong)
    if not wrong:
        names = sorted(name for name in os.environ if name.startswith("ATOMIZER_"))
        yield Check("settings", OK, f"from the environment: {', '.join(names)}" if names else "none in the environment")


def _check_conductor(url: str | None) -> Iterator[Check]:
    from .conductors import offered_schemes  # noqa: PLC0415  # as above

    yield Check("schemes", OK, ", ".join(offered_schemes()))
    wanted = url or os.environ.get("ATOMIZER_URL")
    if wanted:
        yield _try_conductor(wanted)
    else:
        yield Check("conductor", NOTE, "none is named, so it would be in memory", "--conductor URL, or ATOMIZER_URL")


def _try_conductor(url: str) -> Check:
    from .conductors import said_of, time_of_connecting  # noqa: PLC0415  # as above

    try:
        seconds = asyncio.run(time_of_connecting(url))
    except Exception as error:  # a foreign conductor may raise anything
        return Check(
            "conductor",
            FINDING,
            masked_line(said_of(url, error)),
            "look whether it is there, and whether its URL is right",
        )
    return Check("conductor", OK, f"{masked(url)} connected and left in {seconds * 1e3:,.1f} ms")
