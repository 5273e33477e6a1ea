"""The two atoms of the original: a spawner, and what it spawns."""

from __future__ import annotations

import secrets
from math import floor, log10, sqrt
from typing import Annotated

import msgspec

import atomizer

__all__ = ("Chunk", "Estimate", "Landed", "MonteCarlo", "Order", "Tally", "toss")

_SMALLEST_CHUNK = 2**16
_LARGEST_CHUNK = 2**24
"""Some hundredths of a second: a thousand times what an electron costs, and still a lively picture."""
_CHUNKS = 128
"""Into how many a smaller order is cut."""
_STEPS = 300
"""How often progress is told."""


class Chunk(msgspec.Struct, frozen=True):
    """What a toss is asked with. Without a payload it is one dart, as in the original."""

    tosses: int = 1
    chunk: int = 0
    """Its number. Each has darts of its own, the same ones whoever throws them and when."""
    seed: int | None = None


class Landed(msgspec.Struct, frozen=True):
    """How many darts landed inside the circle."""

    value: int


class Order(msgspec.Struct, frozen=True):
    """What the spawner is asked with."""

    tosses: int
    seed: int | None = None
    """Which darts are thrown; if not given, one is drawn and told with the estimate."""
    chunk: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Tosses in each electron. Other chunks are other darts; by default their size follows from `tosses` alone."""
    curve: bool = False
    """Whether the way to the estimate is wanted too."""

    @property
    def chunks(self) -> int:
        """How many electrons it takes."""
        return -(-self.tosses // self.size(0))

    def size(self, number: int) -> int:
        """Return how many tosses a chunk has: all have the same number, but the last the rest."""
        whole = self.chunk or min(max(self.tosses // _CHUNKS, _SMALLEST_CHUNK), _LARGEST_CHUNK)
        return min(whole, self.tosses - number * whole)


class Estimate(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it."""

    inside: int = msgspec.field(name="in")
    tosses: int
    errors: int
    pi: float
    sigma: float
    """The error band: one standard deviation."""
    seed: int
    chunk: int
    failure: str = ""
    """Why tosses failed: what the first of them said."""
    curve: tuple[tuple[int, int], ...] = ()
    """Tosses and how many of them were inside, along the way."""

    def __str__(self) -> str:
        if not self.sigma:  # all landed on one side: that says nothing of how far off it is
            return f"π ≈ {self.pi:.5f}"
        digits = 1 - floor(log10(self.sigma))
        return f"π ≈ {self.pi:.{digits}f} ± {self.sigma:.{digits}f}"


class Tally:
    """Counts what comes back, in the order of the chunks."""

    def __init__(self, order: Order, seed: int) -> None:
        self.inside = self.landed = self.errors = 0
        self.failure = ""
        self.curve: list[tuple[int, int]] = []
        self._chunk = order.size(0)
        self._seed = seed

    def add(self, tosses: int, outcome: atomizer.Properties) -> None:
        """Add a chunk. One that failed is counted as that, and not guessed."""
        if outcome.failure is not None:
            self.errors += tosses
            self.failure = self.failure or outcome.failure.message
            return
        self.landed += tosses
        self.inside += outcome.decode(Landed).value
        if not self.curve or self.landed > self.curve[-1][0] * 1.01:  # evenly on a logarithmic scale
            self.curve.append((self.landed, self.inside))

    def estimate(self, curve: tuple[tuple[int, int], ...] = ()) -> Estimate:
        """Four times the share of the darts inside is π."""
        share = self.inside / self.landed if self.landed else 0.0
        return Estimate(
            inside=self.inside,
            tosses=self.landed + self.errors,
            errors=self.errors,
            pi=4 * share,
            sigma=4 * sqrt(share * (1 - share) / self.landed) if self.landed else 0.0,
            seed=self._seed,
            chunk=self._chunk,
            failure=self.failure,
            curve=curve,
        )


@atomizer.atom(id="montecarlopi.Toss", isolation="process")
def toss(chunk: Chunk = Chunk()) -> Landed:  # noqa: B008  # frozen
    """Throw one dart, or a chunk of them."""
    from .darts import count_inside  # noqa: PLC0415  # numpy is loaded where darts are thrown, and nowhere else

    return Landed(count_inside(chunk.tosses, chunk.chunk, chunk.seed))


class MonteCarlo(atomizer.Atom, id="montecarlopi.MonteCarlo"):
    """Have many darts thrown, a chunk to an electron, and estimate π from where they land."""

    async def process(self, conductor: atomizer.Bond, electron: atomizer.Electron) -> Estimate:
        """Spawn the tosses, count them in their order, and tell how far it is."""
        order = electron.decode(Order)
        if order.tosses < 1:
            raise ValueError(f"it takes at least one toss, not {order.tosses}")
        seed = secrets.randbits(32) if order.seed is None else order.seed
        tally, done = Tally(order, seed), 0
        chunks = (Chunk(order.size(number), number, seed) for number in range(order.chunks))
        async for outcome in conductor.map(toss, chunks, ordered=True).settled():
            tally.add(order.size(done), outcome)
            done += 1
            if done % max(1, order.chunks // _STEPS) == 0 or done == order.chunks:
                conductor.progress(tally.landed + tally.errors, order.tosses, str(tally.estimate()))
        return tally.estimate(tuple(tally.curve) if order.curve else ())
