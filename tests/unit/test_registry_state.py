"""The state of registered class atoms: fresh, copied, shared."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from atomizer import Atom, Bond, Electron, RegistrationRefused, Registry
from atomizer.registry import StateRefused


class Fresh(Atom, id="tests.Fresh"):
    """Need nothing to be made."""

    def __init__(self) -> None:
        self.items: list[int] = []

    async def process(self, conductor: Bond, electron: Electron) -> int:
        """Count."""
        return len(self.items)


class Count(Atom, id="tests.Count"):
    """Need a number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.items = [number]
        self.same = self.items
        self._hidden = threading.Lock()

    async def process(self, conductor: Bond, electron: Electron) -> int:
        """Give the number."""
        return self.number


class Bad(Fresh, id="tests.Bad"):
    """Fail to be made."""

    def __init__(self) -> None:
        raise SystemExit("no")


@dataclass(slots=True, frozen=True)
class Frozen(Atom, id="tests.Frozen"):
    """Have slots that cannot be set."""

    number: int
    items: list[int] = field(default_factory=list)

    async def process(self, conductor: Bond, electron: Electron) -> int:
        """Give the number."""
        return self.number


class Pool(Atom, id="tests.Pool", share=True):
    """Be opened and closed."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def open(self) -> None:
        """Take what is needed."""
        self.told.append("open")

    async def close(self) -> None:
        """Give it back."""
        self.told.append("close")

    async def process(self, conductor: Bond, electron: Electron) -> None:
        """Do nothing."""


def instance_of(item: Atom | type[Atom], copy_state: bool | None = None, **said: Any) -> Any:
    """Register, and take one instance."""
    return Registry().register(item, **said).instance(copy_state)


@pytest.mark.parametrize("copy_state", [None, True, False])
def test_class_is_made_anew_for_each_electron(copy_state: bool | None) -> None:
    """There is nothing to copy."""
    registration = Registry().register(Fresh)

    first = cast("Fresh", registration.instance(copy_state))
    first.items.append(1)
    second = cast("Fresh", registration.instance(copy_state))

    assert second.items == []


def test_class_that_needs_arguments_is_refused() -> None:
    """An instance has them."""
    with pytest.raises(RegistrationRefused, match=r"Count cannot be made without number: register an instance"):
        Registry().register(Count)


def test_class_that_fails_to_be_made_answers_the_electron() -> None:
    """Even `sys.exit` there ends nothing else."""
    with pytest.raises(StateRefused, match=r"Bad cannot be made: SystemExit: no"):
        instance_of(Bad)


@pytest.mark.parametrize("copy_state", [None, True])
def test_instance_is_copied_for_each_electron(copy_state: bool | None) -> None:
    """What one electron does to its copy, the next does not see."""
    registered = Count(3)
    registration = Registry().register(registered)

    first = cast("Count", registration.instance(copy_state))
    first.items.append(4)
    registered.number = 5
    second = cast("Count", registration.instance(copy_state))

    assert (second.number, second.items) == (3, [3])
    assert second is not first


def test_copy_shares_inside_what_the_instance_shared_inside() -> None:
    """Two names of one list stay two names of one list."""
    copied = instance_of(Count(3))

    assert copied.items is copied.same


def test_copy_has_public_state_alone() -> None:
    """What begins with an underscore is not copied, and so may be anything."""
    assert not hasattr(instance_of(Count(3)), "_hidden")


def test_copy_knows_slots_and_frozen_classes() -> None:
    """State is state."""
    registered = Frozen(3, [1])

    copied = instance_of(registered)

    assert copied == registered
    assert copied.items is not registered.items


def test_instance_that_cannot_be_copied_is_refused() -> None:
    """The message names the attribute and the way out."""
    registered: Any = Count(3)
    registered.lock = threading.Lock()

    with pytest.raises(RegistrationRefused, match=r"'lock' .*Count cannot be copied: use share=True"):
        Registry().register(registered)


def test_instance_whose_class_cannot_be_made_bare_is_refused() -> None:
    """A copy is made without `__init__`."""

    class Strict(Count, id="tests.Strict"):
        """Need an argument even to be made bare."""

        def __new__(cls, number: int) -> Any:
            return super().__new__(cls)

    with pytest.raises(RegistrationRefused, match=r"Strict cannot be copied: use share=True"):
        Registry().register(Strict(3))


def test_electron_may_ask_for_a_fresh_one_instead_of_a_copy() -> None:
    """If the class can be made."""
    registered = Fresh()
    registered.items.append(1)

    assert instance_of(registered, copy_state=False).items == []
    with pytest.raises(StateRefused, match=r"Count cannot be made without number"):
        instance_of(Count(3), copy_state=False)


@pytest.mark.parametrize("copy_state", [None, True])
def test_shared_instance_serves_all_electrons(copy_state: bool | None) -> None:
    """It is never copied."""
    registered = Count(3)

    assert instance_of(registered, copy_state, share=True) is registered


def test_shared_class_is_made_once() -> None:
    """When it is first needed."""
    registration = Registry().register(Fresh, share=True)

    assert registration.instance(None) is registration.instance(True)


def test_share_at_registration_goes_over_the_class_s_own() -> None:
    """Either way."""

    class Shared(Fresh, id="tests.Shared", share=True):
        """Be shared."""

    registered = Shared()

    assert instance_of(registered) is registered
    assert instance_of(registered, share=False) is not registered


def test_electron_may_ask_for_a_fresh_one_instead_of_the_shared() -> None:
    """Unless it would have to be opened."""
    registered = Fresh()

    assert instance_of(registered, copy_state=False, share=True) is not registered
    with pytest.raises(StateRefused, match=r"Pool is opened once, and serves all"):
        instance_of(Pool, copy_state=False)


def test_shared_class_that_needs_arguments_is_refused() -> None:
    """An instance has them."""
    with pytest.raises(RegistrationRefused, match="register an instance"):
        Registry().register(Count, share=True)


async def test_shared_instance_is_opened_and_closed() -> None:
    """Once each."""
    registered = Pool()
    registration = Registry().register(registered)

    await registration.open()
    await registration.close()
    await registration.close()

    assert registered.told == ["open", "close"]


async def test_shared_instance_that_was_not_opened_is_not_closed() -> None:
    """There is nothing to give back."""
    registered = Pool()

    await Registry().register(registered).close()

    assert registered.told == []


async def test_shared_class_is_each_registry_s_own() -> None:
    """What one runtime opens, another does not close."""
    default = Registry()
    default.register(Pool)
    first, second = (Registry(beside=default).registrations[0] for _ in range(2))

    await first.open()
    await second.close()

    assert cast("Pool", first.instance(None)).told == ["open"]
    assert first.instance(None) is not second.instance(None)


async def test_open_and_close_of_others_do_nothing() -> None:
    """Whoever registers need not know what is stateless."""
    registration = Registry().register(Fresh)

    await registration.open()
    await registration.close()

    assert registration.instance(None) is not None


@pytest.mark.parametrize("item", [Pool, Pool()])
def test_open_without_share_is_refused(item: Pool | type[Pool]) -> None:
    """What was opened would be copied, or lost."""
    with pytest.raises(RegistrationRefused, match=r"Pool has open and close\(\).*share=True"):
        Registry().register(item, share=False)


def test_open_that_is_not_async_is_refused() -> None:
    """It is awaited."""

    class Sync(Pool, id="tests.Sync", share=True):
        """Open without waiting."""

        def open(self) -> None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
            """Do nothing."""

    with pytest.raises(RegistrationRefused, match=r"Sync\.open is awaited: write `async def open\(self\)`"):
        Registry().register(Sync)
