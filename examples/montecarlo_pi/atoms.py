"""The two atoms of the original: a spawner, and what it spawns."""

from __future__ import annotations

import random
from math import sqrt

import msgspec

import atomizer


class Dart(msgspec.Struct, frozen=True):
    """What a toss is asked with. With a seed the same dart lands in the same place."""

    seed: int | None = None


class Landed(msgspec.Struct, frozen=True):
    """Where a dart landed: 1 inside the circle, 0 outside."""

    value: int


class Order(msgspec.Struct, frozen=True):
    """What the spawner is asked with."""

    tosses: int
    seed: int | None = None


class Estimate(msgspec.Struct, frozen=True):
    """What came of it."""

    inside: int = msgspec.field(name="in")
    tosses: int
    errors: int
    pi: float

    @classmethod
    def of(cls, inside: int, landed: int, errors: int) -> Estimate:
        """Four times the share of the darts inside is π."""
        return cls(inside=inside, tosses=landed + errors, errors=errors, pi=4 * inside / landed if landed else 0.0)

    def __str__(self) -> str:
        landed = self.tosses - self.errors
        share = self.inside / landed if landed else 0.0
        band = 4 * sqrt(share * (1 - share) / landed) if landed else 0.0  # one standard deviation
        return f"π ≈ {self.pi:.5f} ± {band:.5f}"


class Toss(atomizer.Atom, id="montecarlopi.Toss"):
    """Throw one dart."""

    async def process(self, conductor: atomizer.Bond, electron: atomizer.Electron) -> Landed:
        """Answer whether it landed inside the circle."""
        dart = electron.decode(Dart) if electron.payload else Dart()
        chance = random if dart.seed is None else random.Random(dart.seed)
        return Landed(int(chance.random() ** 2 + chance.random() ** 2 <= 1.0))


class MonteCarlo(atomizer.Atom, id="montecarlopi.MonteCarlo"):
    """Throw many darts, each an electron of its own, and estimate π from where they land."""

    async def process(self, conductor: atomizer.Bond, electron: atomizer.Electron) -> Estimate:
        """Spawn the tosses, gather them as they come, and tell how far it is."""
        order = electron.decode(Order)
        if order.tosses < 1:
            raise ValueError(f"it takes at least one toss, not {order.tosses}")
        inside = landed = errors = 0
        darts = (Dart(None if order.seed is None else order.seed * 2**32 + number) for number in range(order.tosses))
        async for toss in conductor.map(Toss, darts, limit=500).settled():
            if toss.failure is None:
                landed += 1
                inside += toss.decode(Landed).value
            else:
                errors += 1
            if (landed + errors) % max(1, order.tosses // 200) == 0:
                conductor.progress(landed + errors, order.tosses, str(Estimate.of(inside, landed, errors)))
        return Estimate.of(inside, landed, errors)
