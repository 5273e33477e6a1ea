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
        "            left = await self._send_all(flight, left)\n",
        "            settlement = left.settlement\n            left = await self._send_all(flight, left)\n",
    ),
    "sends the reply when all is settled": Bug(
        "_core/answering.py",
        "            left = await self._send_all(flight, left)\n",
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
        "        self.is_open = False\n        await self._tasks.end(tuple(self._waiting), seconds)\n",
        "        await self._tasks.end((), seconds)\n",
    ),
    "forgets the routes of a connection that broke": Bug(
        "_core/supervision.py",
        "        self.error = error\n",
        "        self.error = error\n        self._work.clear()\n",
    ),
    "settles before it sends, on the straight line": Bug(
        "_core/straight_line.py",
        "                                and connection.send_nowait(Frame(route_to(reply_to), body, content_type, "
        "delivery.id))\n",
        "                                and connection.settle_nowait(delivery, _ACK)\n"
        "                                and connection.send_nowait(Frame(route_to(reply_to), body, content_type, "
        "delivery.id))\n",
    ),
    "does not wait for what a settlement waits for": Bug(
        "_core/supervision.py",
        "                await connection.settle(delivery, settlement)\n",
        "                connection.settle_nowait(delivery, settlement)\n",
    ),
    "forgets the credit of what was given back": Bug(
        "memory_connection.py",
        "        del holder.unsettled[delivery.arrival]\n",
        "        if settlement is not _REQUEUE:\n            del holder.unsettled[delivery.arrival]\n",
    ),
    "counts from the clock alone": Bug(
        "_core/admission.py",
        "    return by_clock if budget is None or by_clock < budget else budget\n",
        "    return by_clock + 1.0 if budget is None or by_clock < budget else budget + 1.0\n",
    ),
    "takes no slot for a cancelled atom that goes on": Bug(
        "_core/slots.py",
        "        except asyncio.CancelledError:\n            self._slots.free -= 1\n            self._got()\n",
        "        except asyncio.CancelledError:\n            self._got()\n",
    ),
    "remembers every id": Bug(
        "_core/remember.py",
        "        if len(self.since) > self._most:\n",
        "        if not self.since:\n",
    ),
    "keeps every event": Bug(
        "_core/event_ring.py",
        "deque(maxlen=buffer)  # each of an event or more: never too few\n",
        "deque()\n",
    ),
    "lets more in than there is credit for": Bug(
        "memory_listening.py",
        "        if len(unsettled) >= self.credit:\n",
        "        if len(unsettled) > self.credit:\n",
    ),
    "hands out every reply that comes": Bug(
        "asker.py",
        "            handle = self._expecting.pop(reply.electron_id, None)\n",
        "            handle = self._expecting.get(reply.electron_id)\n",
    ),
    "answers whoever asked first": Bug(
        "_core/answering.py",
        "        route = self._routes.get(reply_to)\n",
        "        route = next(iter(self._routes.values()), None)\n",
    ),
    "forgets the shield around a stop": Bug(
        "runtime.py",
        "            await to_its_end(closing, node.hurry)\n",
        "            await closing\n",
    ),
    "keeps no conductor connected that broke twice": Bug(
        "_core/supervision.py",
        "            while not self.has_failed:\n",
        "            while not self.has_failed and attempt < 2:\n",
    ),
    "leaves an abandoned atom unanswered": Bug(
        "_core/flights.py",
        '            self._answers.conclude(flight, verdict), f"atomizer deputy {flight.delivery.id}"\n',
        '            self._answers.conclude(flight, GIVE_BACK), f"atomizer deputy {flight.delivery.id}"\n',
    ),
    "forgets another asker when a copy goes on": Bug(
        "_core/answering.py",
        "        if reply is None or copy is not None:  # whoever is answered in the end, this node is not\n"
        "            return _REQUEUE\n",
        "        if reply is None or copy is not None:\n            return settlement\n",
    ),
    "forgets what joined": Bug(
        "_core/answering.py",
        "            await self._settle_joined(flight, verdict, settlement)\n",
        "            flight.joined = None\n",
    ),
    "acknowledges what joined before it is answered": Bug(
        "_core/reception.py",
        "            running.joined = [*filter(_can_be_settled, running.joined or ()), flight]\n",
        "            flight.link.settle_nowait(flight.connection, delivery, Verdict().settlement)\n",
    ),
    "loses the count of attempts": Bug(
        "_core/attempts.py",
        "    return replace(electron, attempt=electron.attempt + 1, trials",
        "    return replace(electron, attempt=electron.attempt, trials",
    ),
    "counts an attempt twice": Bug(
        "_core/attempts.py",
        "    return replace(electron, attempt=electron.attempt + 1, trials",
        "    return replace(electron, attempt=electron.attempt + 2, trials",
    ),
    "tries everything again": Bug(
        "retry.py",
        "    return not mode.on or not set(mode.on).isdisjoint(names)\n",
        "    return True\n",
    ),
    "acknowledges a requeued electron without its copy": Bug(
        "_core/answering.py",
        "        if left.letter is not None or left.copy is not None or flight.joined is not None:\n",
        "        if left.letter is not None or flight.joined is not None:\n",
    ),
    "does not wait for the confirm of a copy": Bug(
        "_core/answering.py",
        "            await self._send_copy(flight, verdict.copy, verdict.delay)\n",
        '            __import__("asyncio").ensure_future(self._send_copy(flight, verdict.copy, verdict.delay))\n',
    ),
    "writes no dead letters": Bug(
        "_core/disposition.py",
        "    return kind in _ALWAYS_DEAD or not is_awaited or (kind in _RAN and properties.attempt > 1)\n",
        "    return False\n",
    ),
    "drops what nobody takes": Bug(
        "_core/answering.py",
        "            await self._bury(flight, UNCLAIMED, unclaimed_letter(flight, frame))\n",
        "            return\n",
    ),
    "runs what is poison": Bug(
        "_core/admission.py",
        "    if count > poison_limit:\n",
        "    if count > poison_limit + 10:\n",
    ),
    "takes every second delivery for poison": Bug(
        "_core/admission.py",
        "    if count > poison_limit:\n",
        "    if count:\n",
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
