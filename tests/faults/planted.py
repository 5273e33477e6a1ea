"""
Bugs to plant: each replaces a piece of the runtime by what somebody might have written.

They are kept as old and new text. When the runtime changes so that an old text is not there any more, exactly once,
planting fails: give the bug its new shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("BUGS", "Bug", "plant")


class Bug(NamedTuple):
    """One mistake."""

    where: str
    """The module, below the package."""
    old: str
    new: str


BUGS = {
    "acknowledges unless something says otherwise": Bug(
        "_core/answering.py",
        "        settlement = _REQUEUE  # the honest answer until we know better\n",
        "        settlement = Settlement.ACK\n",
    ),
    "acknowledges before the reply is confirmed": Bug(
        "_core/answering.py",
        "            await self._send_all(flight, left)\n",
        "            settlement = left.settlement\n            await self._send_all(flight, left)\n",
    ),
    "sends the reply when all is settled": Bug(
        "_core/answering.py",
        "            await self._send_all(flight, left)\n",
        '            __import__("asyncio").ensure_future(self._send_all(flight, left))\n',
    ),
    "takes a broken connection for a reply without receiver": Bug(
        "_core/answering.py",
        "        except NobodyThere as error:\n            self._report.tell(PropertiesUnclaimed",
        "        except ConductorError as error:\n            self._report.tell(PropertiesUnclaimed",
    ),
    "acknowledges what it should give back": Bug(
        "_core/disposition.py",
        "GIVE_BACK = Verdict(None, Settlement.REQUEUE)",
        "GIVE_BACK = Verdict(None, Settlement.ACK)",
    ),
    "rejects what it should give back": Bug(
        "_core/disposition.py",
        "GIVE_BACK = Verdict(None, Settlement.REQUEUE)",
        "GIVE_BACK = Verdict(None, Settlement.REJECT)",
    ),
    "settles again what was settled at once": Bug(
        "_core/answering.py",
        "        return None if is_settled else left\n",
        "        return None if is_settled and not flight.delivery.count else left\n",
    ),
    "drops what comes a second time": Bug(
        "_core/reception.py",
        "        if not self._recall(flight, electron):\n",
        "        if delivery.redelivered:\n            flight.verdict = Verdict()\n"
        "        elif not self._recall(flight, electron):\n",
    ),
    "answers results alone": Bug(
        "_core/disposition.py",
        "    reply = properties if reply_to else None\n",
        "    reply = properties if reply_to and properties.failure is None else None\n",
    ),
    "sends no deadline": Bug(
        "_core/outbound.py",
        "        if budget is not None:\n",
        "        if budget is not None and budget < 0:\n",
    ),
    "lets children live as long as they like": Bug(
        "_core/outbound.py",
        "        return left if to.timeout is None else min(left, to.timeout)\n",
        "        return to.timeout or left * 1_000\n",
    ),
    "sends the first budget again": Bug(
        "_core/outbound.py",
        "        return structs.replace(electron, budget=budget, trials=trials)\n",
        "        return structs.replace(electron, deadline_ns=None)\n",
    ),
    "forgets who waits when sending is not done at once": Bug(
        "asker.py",
        "            await self._post(handle, link, electron, to, deadline)\n",
        "            self._correlation.take(electron.id)\n"
        "            await self._post(handle, link, electron, to, deadline)\n",
    ),
    "still waits for what was not sent": Bug(
        "asker.py",
        "        except asyncio.CancelledError:\n            self._forget(handle)\n",
        "        except asyncio.CancelledError:\n",
    ),
    "sends once": Bug(
        "_core/supervision.py",
        "                if self._clock.monotonic() + pause > until:\n                    raise\n",
        "                raise\n",
    ),
    "does not answer what was cancelled": Bug(
        "_core/disposition.py",
        "    reply = properties if reply_to else None\n",
        "    is_told = properties.failure is None or properties.failure.kind != FailureKind.CANCELLED\n"
        "    reply = properties if reply_to and is_told else None\n",
    ),
    "keeps a slot when its atom has failed": Bug(
        "_core/straight_line.py",
        "            self.slots.release()\n",
        "            if self.flight is None or self.flight.told is None:\n                self.slots.release()\n",
    ),
    "does not lend the slot of who waits": Bug(
        "_core/lending.py",
        "    hold = flight.holding()\n",
        "    return await wait()\n",
    ),
    "takes new electrons while it stops": Bug(
        "_core/pump.py",
        "        self.is_open = False\n        self.is_plain = False\n"
        "        await self._tasks.end(tuple(self._waiting), seconds)\n",
        "        await self._tasks.end((), seconds)\n",
    ),
    "forgets the routes of a connection that broke": Bug(
        "_core/supervision.py",
        "        self.error = error\n",
        "        self.error = error\n        self._work.clear()\n",
    ),
}


def plant(bug: Bug, package: Path) -> None:
    """
    Put a bug into a copy of the package.

    Raises:
        LookupError: Its old text is not there exactly once.
    """
    path = package / bug.where
    source = path.read_text()
    if (times := source.count(bug.old)) != 1:
        raise LookupError(f"{bug.where} has {times} times, and not once:\n{bug.old}")
    path.write_text(source.replace(bug.old, bug.new))
