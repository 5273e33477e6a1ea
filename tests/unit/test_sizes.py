"""What a payload and a result may weigh, and what is said of one that weighs more."""

from __future__ import annotations

import pytest

import atomizer
from atomizer import AtomFailed, Atomizer, MemoryConductor, Settings, TooLarge

MIB = 1024 * 1024
ROOMY = Settings(max_payload_bytes=16 * MIB)


@atomizer.atom(id="tests.sizes.zeros")
async def zeros(size: int) -> bytes:
    """Return so many bytes."""
    return bytes(size)


@atomizer.atom(id="tests.sizes.weigh")
async def weigh(data: bytes) -> int:
    """Say how many bytes there are."""
    return len(data)


@pytest.mark.parametrize("url", [None, "memory://tests.sizes.roomy"])
async def test_hub_of_a_runtime_carries_what_its_settings_allow(url: str | None) -> None:
    """With what is around it, there and back."""
    async with Atomizer(zeros, weigh, conductor=url, settings=ROOMY) as runtime:
        assert await runtime.run(weigh, bytes(16 * MIB)) == 16 * MIB
        assert len(await runtime.run(zeros, 16 * MIB)) == 16 * MIB


async def test_hub_named_by_the_settings_carries_what_they_allow() -> None:
    """As if it were named in code."""
    settings = Settings(url="memory://tests.sizes.named", max_payload_bytes=16 * MIB)
    async with Atomizer(weigh, settings=settings) as runtime:
        assert await runtime.run(weigh, bytes(16 * MIB)) == 16 * MIB


async def test_hub_made_by_hand_keeps_its_limit() -> None:
    """And the failure says that it is the conductor's, there and back."""
    hub = MemoryConductor("narrow", max_body_bytes=1_000)
    async with Atomizer(zeros, weigh, conductor=hub, settings=ROOMY) as runtime:
        with pytest.raises(AtomFailed, match=r"1,000 are allowed \(max_body_bytes of conductor 'narrow'\)"):
            await runtime.run(zeros, 2_000)
        with pytest.raises(TooLarge, match=r"over the limit of 1,000 \(max_body_bytes of conductor 'narrow'\)"):
            await runtime.run(weigh, bytes(2_000))


async def test_limit_of_the_settings_is_named() -> None:
    """It is theirs that is to be raised."""
    async with Atomizer(zeros, weigh, settings=Settings(max_payload_bytes=1_000)) as runtime:
        with pytest.raises(AtomFailed, match=r"1,000 are allowed \(Settings.max_payload_bytes\)"):
            await runtime.run(zeros, 2_000)
        with pytest.raises(TooLarge, match=r"over the limit of 1,000 \(Settings.max_payload_bytes\)"):
            await runtime.run(weigh, bytes(2_000))
