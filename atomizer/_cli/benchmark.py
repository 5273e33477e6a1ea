"""`atomizer bench`: no-op electrons through a conductor, from one process that asks and answers."""

from __future__ import annotations

import asyncio
import secrets
from array import array
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Any, TypeAlias

from ..atom import atom
from ..errors import AtomizerError, AtomTimedOut, ConductorError, Expired
from ..masking import masked, masked_line
from ..runtime import Atomizer
from .complaint import NO_CONDUCTOR, Complaint
from .conductors import chosen
from .fields import settings_of
from .figures import Counts, Figures, Round, Spread
from .giving_back import give_back

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from ..function_atom import FunctionAtom
    from .figures import Plan

__all__ = ("measure",)

Echo: TypeAlias = (
    "FunctionAtom[[bytes], bytes, [bytes], Coroutine[Any, Any, bytes]] | FunctionAtom[[bytes], bytes, [bytes], bytes]"
)

_NUMBER = 8  # bytes in front of each payload
_WARM_UP = 200
_ALONE = 1_000  # electrons of a round that go one at a time


def measure(plan: Plan, url: str | None, *, patience: float = 10.0) -> Figures:
    """
    Measure, and count what was lost or came twice.

    Args:
        plan: What to measure.
        url: The conductor; None means `ATOMIZER_URL`, else memory.
        patience: Seconds for what is outstanding when the time is up; what has no answer then is lost.

    Raises:
        Complaint: The conductor is unknown or cannot be reached, or the environment holds a wrong setting.
    """
    settings = settings_of({})
    conductor = chosen(url, settings)
    bench = _Bench(plan, patience)
    try:
        asyncio.run(bench.run(Atomizer(bench.atom, conductor=conductor, settings=settings)))
    except ConductorError as error:
        raise Complaint(str(error), exit_code=NO_CONDUCTOR) from error
    return Figures(plan, masked(url or settings.url or "memory"), bench.rounds, bench.counts(), bench.loop)


class _Bench:
    """
    One measurement: its atom, its electrons by number, and what became of them.

    Attributes:
        atom: What is asked.
        rounds: The figures of each round that was begun.
        loop: The name of the event loop that it ran on.
    """

    def __init__(self, plan: Plan, patience: float) -> None:
        self._plan = plan
        self._patience = patience
        self._alone = min(_ALONE, plan.electrons)
        self._ran = array("I", bytes(4 * (_WARM_UP + plan.rounds * (self._alone + plan.electrons))))
        self.atom = _echo(self._ran, plan.atom)
        self.rounds: list[Round] = []
        self.loop = ""
        self._asked = 0
        self._answered = 0
        self._failed = 0
        self._first_failure = ""
        self._runs = 0

    async def run(self, runtime: Atomizer) -> None:
        """Measure round by round, until all are done or the time is up."""
        self.loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
        until = perf_counter() + self._plan.seconds
        asking = self.atom.options(timeout=self._plan.seconds + self._patience) if self._plan.deadline else self.atom
        async with runtime:
            await self._ask(runtime, asking, _WARM_UP, 1, until)
            for _ in range(self._plan.rounds):
                if perf_counter() < until:
                    alone = await self._ask(runtime, asking, self._alone, 1, until)
                    before = self._asked
                    loaded = await self._ask(runtime, asking, self._plan.electrons, self._plan.outstanding, until)
                    self.rounds.append(Round(alone, loaded, self._asked - before))
            now = runtime.statistics()
            self._runs = now.completed + now.failed

    def counts(self) -> Counts:
        """Count what became of everything that was asked."""
        lost = self._asked - self._answered - self._failed
        duplicated = sum(times - 1 for times in self._ran if times > 1)
        if self._plan.atom == "process":  # its runs cannot be told apart from here
            duplicated = max(0, self._runs - self._asked)
        return Counts(self._asked, lost, duplicated, self._failed, masked_line(self._first_failure))

    async def _ask(self, runtime: Atomizer, asking: Echo, electrons: int, at_once: int, until: float) -> Spread:
        """Ask a number of electrons; each of `at_once` tasks asks one after another."""
        numbers = iter(range(self._asked, self._asked + electrons))
        took = array("Q")
        began = perf_counter()
        try:
            async with asyncio.timeout(max(0.0, until - began) + self._patience), asyncio.TaskGroup() as group:
                for index in range(min(at_once, electrons)):
                    coroutine = self._ask_in_turn(runtime, asking, numbers, took, until)
                    group.create_task(coroutine, name=f"atomizer bench {index}")
        except TimeoutError:
            pass  # what has no answer by now counts as lost
        return Spread.of(took, perf_counter() - began)

    async def _ask_in_turn(
        self, runtime: Atomizer, asking: Echo, numbers: Iterator[int], took: array[int], until: float
    ) -> None:
        filler = bytes(self._plan.size - _NUMBER)
        for number in numbers:
            payload = number.to_bytes(_NUMBER, "big") + filler
            self._asked += 1
            began = perf_counter_ns()
            try:
                answer = await runtime.run(asking, payload)
            except (AtomTimedOut, Expired) as error:  # no outcome came: it is lost
                self._first_failure = self._first_failure or str(error)
            except AtomizerError as error:
                self._fail(str(error))
            else:
                took.append(perf_counter_ns() - began)
                self._take(payload, answer)
            if perf_counter() >= until:
                return

    def _take(self, payload: bytes, answer: bytes) -> None:
        if answer == payload:
            self._answered += 1
        else:
            self._fail("an electron was answered with another one's payload")

    def _fail(self, reason: str) -> None:
        self._failed += 1
        self._first_failure = self._first_failure or reason


def _echo(ran: array[int], how: str) -> Echo:
    """
    Make an atom of an id that is of this run alone.

    In this process it counts its runs by the number in front of the payload.
    """
    atom_id = f"atomizer.bench.{secrets.token_hex(4)}"
    if how == "process":
        return atom(id=atom_id, isolation="process")(give_back.__wrapped__)

    @atom(id=atom_id)
    async def noop(payload: bytes) -> bytes:
        ran[int.from_bytes(payload[:_NUMBER], "big")] += 1
        return payload

    @atom(id=atom_id)
    async def suspend(payload: bytes) -> bytes:
        await asyncio.sleep(0)
        ran[int.from_bytes(payload[:_NUMBER], "big")] += 1
        return payload

    return suspend if how == "suspend" else noop
