"""
How long it takes until a program has what it needs of atomizer: fresh processes, one after the other.

It is the processor's time that counts. On an idle machine, with the files read before, it is the wall's too.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.peers import NotThere
from tests.benchmarks.sampling import Sample

if TYPE_CHECKING:
    from tests.benchmarks.sampling import Effort

__all__ = ("measure_help", "measure_import")

_RUNS = 15
_FEW = 5
_IMPORT = ("-c", "import asyncio, atomizer; atomizer.Atomizer, atomizer.atom")
"""What the first lines of every program need: names that are loaded when they are first used count too."""
_ASYNCIO = ("-c", "import asyncio")
_HELP = ("-c", "import sys; from atomizer.cli import main; sys.exit(main())", "--help")
"""What the script `atomizer` does."""


def measure_import(effort: Effort) -> Sample:
    """Measure `import atomizer` in a program that has asyncio anyway."""
    return _processes(_IMPORT, _ASYNCIO, effort)


def measure_help(effort: Effort) -> Sample:
    """
    Measure `atomizer --help`, from the start of the process to its end.

    Raises:
        NotThere: There is no command line.
    """
    if importlib.util.find_spec("atomizer.cli") is None:
        raise NotThere("not there yet: atomizer has no command line")
    return _processes(_HELP, _ASYNCIO, effort)


def _processes(subject: tuple[str, ...], baseline: tuple[str, ...], effort: Effort) -> Sample:
    for arguments in (subject, baseline):
        _seconds(arguments)  # the bytecode is written once
    runs = [(_seconds(baseline), _seconds(subject)) for _ in range(_FEW if effort.quick else _RUNS)]
    before, after = zip(*runs, strict=True)
    return Sample(subject={"seconds": median(after)}, baseline={"seconds": median(before)})


def _seconds(arguments: tuple[str, ...]) -> float:
    before = _used_by_children()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return _used_by_children() - before


def _used_by_children() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
