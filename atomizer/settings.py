"""Settings: what a runtime may be told, in one frozen table, and the clock it lives by."""

from __future__ import annotations

import os
import random
import re
import time
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Self

import msgspec
from msgspec import Meta, Struct

from .masking import masked

__all__ = ("Clock", "Settings", "SystemClock")

_PREFIX = "ATOMIZER_"

Seconds = Annotated[float, Meta(ge=0.0)]
Count = Annotated[int, Meta(ge=1)]
CountOrNone = Annotated[int, Meta(ge=0)]


class Clock(Protocol):
    """Where a runtime reads the time. A test hands in one that it moves itself."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back: the event loop's own."""
        ...

    def utc_ns(self) -> int:
        """Return the UTC moment, in nanoseconds since 1970."""
        ...


class SystemClock:
    """The clocks of this machine."""

    if TYPE_CHECKING:

        def monotonic(self) -> float:
            """Return `time.monotonic()`, which is what event loops go by."""
            ...

        def utc_ns(self) -> int:
            """Return `time.time_ns()`."""
            ...

    else:  # as they are, for they are read for each electron
        monotonic = staticmethod(time.monotonic)
        utc_ns = staticmethod(time.time_ns)

    def __repr__(self) -> str:
        return "SystemClock()"


class Settings(Struct, frozen=True, kw_only=True):
    """
    What a runtime may be told. Every field has a default; seconds are floats, sizes are bytes.

    Raises:
        ValueError: A value is outside its range, or of another type; the message names the field.
    """

    url: str = ""
    """The conductor when none is named in code; empty means in memory."""
    name: Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{0,64}$")] = ""
    """The node's name; empty means host-pid-random. A name of your own keeps its reply route over a restart."""
    slots: Count = 64
    """How many electrons run at once on this node."""
    suspended: Count = 10_000
    """How many atoms may wait for children at once; beyond it a child's `send` raises `TooManyWaiting`."""
    grace: Seconds = 30.0
    """Seconds that running electrons have to finish when the runtime stops, and a late answer after its deadline."""
    settle_grace: Seconds = 5.0
    """Seconds that settling a delivery may take while the runtime stops."""
    confirm_timeout: Seconds = 5.0
    """Seconds that one attempt to send may take until it counts as lost."""
    send_patience: Seconds = 30.0
    """Seconds that sending goes on over broken connections and full routes, where no deadline is nearer."""
    connect_timeout: Seconds = 10.0
    """Seconds that one attempt to connect may take, until it is given up and the next is made."""
    connect_patience: Seconds = 30.0
    """Seconds that the first connection of a conductor may take until starting fails."""
    cancel_grace: Seconds = 2.0
    """Seconds that a cancelled atom has to come to its end until it is abandoned."""
    retry_hold: Seconds = 10.0
    """Seconds that an electron which failed is held at most until it is tried again here."""
    poison_limit: Count = 5
    """How often an electron may be delivered in vain (its node died, its connection broke) until it is given up on."""
    max_payload_bytes: Count = 8 * 1024 * 1024
    """The largest payload or result."""
    max_depth: Count = 32
    """How deep foreign JSON or MessagePack may be nested."""
    remember: Count = 10_000
    """How many electrons a node remembers: cancelled ones, to refuse them when they come late; answered ones, to give
    the same answer when they come again."""
    remember_seconds: Seconds = 600.0
    """Seconds for which they are remembered."""
    remember_bytes: CountOrNone = 16 * 1024 * 1024
    """How much room all remembered answers have. One larger than its share (divided by `remember`) is not kept."""
    event_ring: Count = 1024
    """How many events a stream keeps for a slow reader before it drops the oldest."""
    backoff_first: Seconds = 0.05
    """Seconds until the first new try after a failure; it doubles from there, with jitter."""
    backoff_most: Seconds = 5.0
    """The longest pause between two tries, in seconds."""
    abandoned_limit: Count = 8
    """How many abandoned atoms a node bears until its health is red."""
    stalled_after: Seconds = 300.0
    """Seconds for which work may exist and none of it be done until the health is red; 0 means never."""
    blocked_after: Seconds = 0.2
    """Seconds for which the event loop may stand still until it is told where, as `LoopBlocked`; 0 means never."""
    processes: Annotated[int, Meta(ge=0, le=1_024)] = 0
    """How many child processes there are at most; 0 means one for each CPU core that this process may use."""
    process_calls: CountOrNone = 1_000
    """After how many electrons a child process makes room for a new one; 0 means never."""
    process_memory_bytes: CountOrNone = 0
    """Above which resident size a child process makes room for a new one; 0 means never."""
    clock: Clock = msgspec.field(default_factory=SystemClock)
    """Where the time comes from."""
    random: random.Random = msgspec.field(default_factory=random.Random)
    """Where chance comes from: ids, jitter."""

    def __post_init__(self) -> None:
        try:
            msgspec.convert(self._scalars(), _RANGES)
        except msgspec.ValidationError as error:
            raise ValueError(f"Settings: {error}") from None

    def __repr__(self) -> str:
        return Struct.__repr__(msgspec.structs.replace(self, url=masked(self.url)))

    def _scalars(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in _SCALARS}

    @classmethod
    def from_env(cls, **given: Any) -> Self:
        """
        Read the settings from the environment: `ATOMIZER_URL`, `ATOMIZER_SLOTS`, … one per field.

        This is the only place where a runtime reads the environment.

        Args:
            given: Values that count more than the environment's.

        Raises:
            ValueError: A variable holds what its field does not take.
        """
        found = {name: os.environ[_PREFIX + name.upper()] for name in _SCALARS if _PREFIX + name.upper() in os.environ}
        try:
            read = msgspec.structs.asdict(msgspec.convert(found, _RANGES, strict=False))
        except msgspec.ValidationError as error:
            where = re.sub(r"`\$\.(\w+)`", lambda found: _PREFIX + found[1].upper(), str(error))
            raise ValueError(f"environment: {where}") from None
        return cls(**{name: read[name] for name in found} | given)


_SCALARS = tuple(field.name for field in msgspec.structs.fields(Settings) if field.name not in ("clock", "random"))

_RANGES = msgspec.defstruct(
    "SettingsRanges",
    [(f.name, f.type, f.default) for f in msgspec.structs.fields(Settings) if f.name in _SCALARS],
    kw_only=True,
    frozen=True,
)
