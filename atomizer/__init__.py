"""
Embeddable, distributed work for asyncio: atoms, electrons, conductors.

.. code-block:: python

    import anyio, atomizer

    @atomizer.atom
    async def add(a: int, b: int) -> int:
        return a + b

    async def main() -> None:
        async with atomizer.Atomizer(add) as runtime:
            print(await runtime.run(add, 1, 2))  # 3

    anyio.run(main)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The door
    # Atoms
    from .atom import Atom as Atom
    from .atom import FunctionAtom as FunctionAtom
    from .atom import atom as atom
    from .atom import atom_id as atom_id
    from .bond import Blocking as Blocking
    from .bond import Bond as Bond

    # The contract with transports, and the conductor in memory
    from .codec import Codec as Codec
    from .conductor import Capability as Capability
    from .conductor import Conductor as Conductor
    from .conductor import Connection as Connection
    from .conductor import Delivery as Delivery
    from .conductor import Durability as Durability
    from .conductor import Frame as Frame
    from .conductor import Lane as Lane
    from .conductor import Route as Route
    from .conductor import Settlement as Settlement
    from .conductor import Spread as Spread

    # Values
    from .dead_letters import DeadLetters as DeadLetters
    from .dead_letters import Unclaimed as Unclaimed
    from .electron import Electron as Electron
    from .envelope import DeadLetter as DeadLetter

    # What goes wrong
    from .errors import AtomCancelled as AtomCancelled
    from .errors import AtomFailed as AtomFailed
    from .errors import AtomizerBug as AtomizerBug
    from .errors import AtomizerError as AtomizerError
    from .errors import AtomTimedOut as AtomTimedOut
    from .errors import AtomUnknown as AtomUnknown
    from .errors import CapabilityMissing as CapabilityMissing
    from .errors import ConductorBroken as ConductorBroken
    from .errors import ConductorClosed as ConductorClosed
    from .errors import ConductorError as ConductorError
    from .errors import ConductorUnavailable as ConductorUnavailable
    from .errors import ConductorUnknown as ConductorUnknown
    from .errors import EventsEnded as EventsEnded
    from .errors import Expired as Expired
    from .errors import LetterUnknown as LetterUnknown
    from .errors import Malformed as Malformed
    from .errors import NobodyThere as NobodyThere
    from .errors import NoReplyAsked as NoReplyAsked
    from .errors import NotRunning as NotRunning
    from .errors import NotTaken as NotTaken
    from .errors import Overloaded as Overloaded
    from .errors import PayloadRefused as PayloadRefused
    from .errors import Poison as Poison
    from .errors import RegistrationRefused as RegistrationRefused
    from .errors import SoftLimitReached as SoftLimitReached
    from .errors import TooLarge as TooLarge
    from .errors import TooManyWaiting as TooManyWaiting
    from .errors import WaitsForItself as WaitsForItself

    # What happens (every kind of event is in `atomizer.events`)
    from .events import Event as Event
    from .events import UnknownEvent as UnknownEvent
    from .failure import Ending as Ending
    from .failure import Failure as Failure
    from .failure import FailureKind as FailureKind
    from .handle import Handle as Handle
    from .health import Health as Health
    from .health import Statistics as Statistics
    from .inspection import BondReport as BondReport
    from .inspection import BondState as BondState
    from .inspection import Inspection as Inspection
    from .inspection import NodeReport as NodeReport
    from .memory import MemoryConductor as MemoryConductor
    from .options import Options as Options
    from .properties import Progress as Progress
    from .properties import Properties as Properties
    from .registry import Registry as Registry
    from .registry import register as register
    from .registry import unregister as unregister
    from .results import Results as Results
    from .retry import Fail as Fail
    from .retry import Requeue as Requeue
    from .retry import Retry as Retry
    from .runtime import Atomizer as Atomizer
    from .runtime import EventStream as EventStream
    from .schemes import conductor_from_url as conductor_from_url
    from .script import run as run
    from .settings import Clock as Clock
    from .settings import Settings as Settings
    from .settings import SystemClock as SystemClock
else:
    from ._on_first_use import load_on_first_use

    load_on_first_use(__name__)

__all__ = (  # noqa: RUF022  # grouped as above
    "Atomizer", "DeadLetters", "EventStream", "Handle", "Results", "Unclaimed", "run",
    "Atom", "Blocking", "Bond", "FunctionAtom", "Registry", "atom", "atom_id", "register", "unregister",
    "BondReport", "BondState", "Clock", "DeadLetter", "Electron", "Ending", "Fail", "Failure", "FailureKind", "Health",
    "Inspection", "NodeReport", "Options", "Progress", "Properties", "Requeue", "Retry", "Settings", "Statistics",
    "SystemClock",
    "Event", "UnknownEvent",
    "Capability", "Codec", "Conductor", "Connection", "Delivery", "Durability", "Frame", "Lane", "MemoryConductor",
    "Route", "Settlement", "Spread", "conductor_from_url",
    "AtomCancelled", "AtomFailed", "AtomTimedOut", "AtomUnknown", "AtomizerBug", "AtomizerError", "CapabilityMissing",
    "ConductorBroken", "ConductorClosed", "ConductorError", "ConductorUnavailable", "ConductorUnknown", "EventsEnded",
    "Expired", "LetterUnknown", "Malformed", "NoReplyAsked", "NobodyThere", "NotRunning", "NotTaken", "Overloaded",
    "PayloadRefused", "Poison", "RegistrationRefused", "SoftLimitReached", "TooLarge", "TooManyWaiting",
    "WaitsForItself",
)  # fmt: skip
