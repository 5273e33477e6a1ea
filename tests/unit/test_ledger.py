"""The ledger on plain values: credit, and what counts as an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atomizer.codec import MESSAGEPACK
from atomizer.conductor import Delivery, Frame, Lane, Route, Settlement
from atomizer.properties import Progress, Properties
from atomizer.testing.record import Ledger

if TYPE_CHECKING:
    from atomizer.testing.ledger import Page

WORK = Route(Lane.WORK, "add")
REPLIES = Route(Lane.REPLY, "asker")
ACK = Settlement.ACK


def blank() -> tuple[Ledger, Page]:
    ledger = Ledger(lambda: 0.0)
    return ledger, ledger.open_page()


def frame_of(body: Progress | Properties) -> Frame:
    return Frame(REPLIES, MESSAGEPACK.encode_reply(body), MESSAGEPACK.content_type, body.electron_id)


def receive_many(page: Page, count: int) -> list[Delivery]:
    deliveries = [Delivery(WORK, b"", "", f"e{number}") for number in range(count)]
    for delivery in deliveries:
        page.receive(delivery)
    return deliveries


def listen(page: Page, credit: int) -> None:
    page.listening(WORK, credit)
    page.listened(WORK, credit)


def test_violation_when_only_progress_was_sent() -> None:
    """Progress goes the way of answers, and is none."""
    ledger, page = blank()
    listen(page, 1)
    delivery = Delivery(WORK, b"", "", "e1", reply_to="asker")
    page.receive(delivery)
    page.end(page.send(frame_of(Progress(electron_id="e1", done=0.5))))

    page.settle(delivery, ACK)

    assert len(ledger.violations()) == 1
    assert not ledger.sent[0].is_answer


def test_no_violation_when_properties_were_sent_after_progress() -> None:
    """Properties are the answer."""
    ledger, page = blank()
    listen(page, 1)
    delivery = Delivery(WORK, b"", "", "e1", reply_to="asker")
    page.receive(delivery)
    page.end(page.send(frame_of(Progress(electron_id="e1", done=0.5))))
    page.end(page.send(frame_of(Properties(electron_id="e1"))))

    page.settle(delivery, ACK)

    assert ledger.violations() == []
    assert ledger.answered == {"e1"}


def test_violation_when_more_come_than_there_is_credit() -> None:
    """The transport's fault, and the runtime cannot hide it."""
    ledger, page = blank()
    listen(page, 2)

    receive_many(page, 3)

    assert ledger.violations() == ["connection 1 holds 3 unsettled deliveries of 'work:add', and gave credit for 2"]


def test_violation_when_something_comes_that_nobody_listened_for() -> None:
    """No credit was given at all."""
    ledger, page = blank()

    receive_many(page, 1)

    assert ledger.violations() == ["connection 1 holds 1 unsettled deliveries of 'work:add', and gave credit for 0"]


def test_no_violation_when_a_sink_takes_it() -> None:
    """What is settled as it comes needs no credit."""
    ledger, page = blank()

    page.sink(Delivery(REPLIES, b"", "", "e1"))
    page.close()

    assert ledger.violations() == []
    assert (len(ledger.received), len(ledger.settled)) == (1, 1)


def test_no_violation_when_settling_makes_room() -> None:
    """Credit is for what is unsettled, not for what comes in all."""
    ledger, page = blank()
    listen(page, 2)

    for _ in range(3):
        for delivery in receive_many(page, 2):
            page.settle(delivery, ACK)

    assert ledger.violations() == []


def test_no_violation_when_a_larger_credit_works_before_its_call_returns() -> None:
    """It may be in force as soon as it is asked for."""
    ledger, page = blank()
    listen(page, 1)
    page.listening(WORK, 3)

    deliveries = receive_many(page, 3)
    page.settle(deliveries[0], ACK)
    receive_many(page, 1)

    assert ledger.violations() == []


def test_no_violation_when_what_was_taken_comes_after_the_credit_sank() -> None:
    """A smaller credit takes nothing back."""
    ledger, page = blank()
    listen(page, 3)
    listen(page, 0)

    receive_many(page, 3)

    assert ledger.violations() == []


def test_violation_when_a_sunken_credit_is_not_kept() -> None:
    """With each settlement the bound sinks, down to the new credit."""
    ledger, page = blank()
    listen(page, 3)
    deliveries = receive_many(page, 3)
    listen(page, 1)
    for delivery in deliveries:
        page.settle(delivery, ACK)

    receive_many(page, 2)

    assert ledger.violations() == ["connection 1 holds 2 unsettled deliveries of 'work:add', and gave credit for 1"]
