"""`atomizer dead`: what was given up on, looked at, sent again, and dropped."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import AtomizerError, LetterUnknown, NoReplyAsked
from ..masking import masked_line, masked_message, one_line
from .complaint import USAGE, Complaint
from .letters import content_of, letter_for_people, letter_of, listed, masked_failure, outcome_of, table_of
from .visiting import Said
from .writing import as_json, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from ..dead_letters import DeadLetters, Unclaimed
    from ..envelope import DeadLetter
    from ..handle import Handle
    from ..runtime import Atomizer

__all__ = ("Chosen", "drop_letters", "list_letters", "replay_letters", "show_letters")


class Chosen(NamedTuple):
    """
    Which letters a command is about.

    Attributes:
        ids: The electrons.
        every: All of them, as far as reason and atom say.
        reason: Only those of that reason.
        atom: Only those of that atom id.
        unclaimed: Those in the place of what nobody took.
    """

    ids: Sequence[str] = ()
    every: bool = False
    reason: str | None = None
    atom: str | None = None
    unclaimed: bool = False

    def check(self) -> None:
        """
        Make sure that nothing is dropped or sent by mistake.

        Raises:
            Complaint: It says neither ids nor `--all`, or both, or narrows ids down.
        """
        narrow = "--atom" if self.atom else "--reason" if self.reason else ""
        if narrow and not self.ids and not self.every:
            raise Complaint(f"{narrow} needs --all: it chooses among all letters", exit_code=USAGE)
        if bool(self.ids) == self.every:
            raise Complaint("say the ids of electrons, or --all, and not both", exit_code=USAGE)
        if self.ids and (self.reason or self.atom):
            raise Complaint("--reason and --atom choose among --all, and not among ids", exit_code=USAGE)


async def list_letters(runtime: Atomizer, choice: Chosen, limit: int, *, json: bool) -> Said:
    """List letters, without what is in them."""
    with _usage():
        letters = await _place(runtime, choice).list(reason=choice.reason, atom=choice.atom, limit=limit)
    note = f"the oldest {limit:,}; there may be more (--limit)" if len(letters) == limit else ""
    if json:
        return Said(as_json([listed(each) for each in letters]), note=note)
    if not letters:
        return Said("nothing lies there" if not (choice.reason or choice.atom) else "nothing of that lies there")
    return Said("\n".join(filter(None, (table_of(letters), note))))


async def show_letters(runtime: Atomizer, choice: Chosen, *, json: bool) -> Said:
    """Show the letters of some electrons, with what is in them."""
    place, missing = _place(runtime, choice), list[str]()
    found: list[tuple[DeadLetter, dict[str, Any]]] = []
    for electron_id in choice.ids:
        try:
            letter = await place.show(electron_id)
        except LetterUnknown as error:
            missing.append(str(error))
        else:
            found.append((letter, content_of(letter, _reader(runtime, choice))))
    if json:
        name = "properties" if choice.unclaimed else "electron"
        entries: list[dict[str, Any]] = [{**letter_of(letter), name: content} for letter, content in found]
        return Said(as_json([*entries, *({"error": text} for text in missing)]), not missing)
    told = [letter_for_people(letter, content) for letter, content in found]
    return Said("\n\n".join([*told, *map(one_line, missing)]), not missing)


async def replay_letters(runtime: Atomizer, choice: Chosen, seconds: float | None, *, wait: bool, json: bool) -> Said:
    """Send letters again, and perhaps wait for what comes of it."""
    letters = runtime.dead_letters
    if choice.every:
        options: dict[str, Any] = {"reason": choice.reason, "atom": choice.atom, "timeout": seconds, "reply": wait}
        with _usage():
            handles = await letters.replay_all(**options)
        entries = [await _sent(handle) for handle in handles]
    else:
        entries = [await _replayed(letters, each, seconds, wait=wait) for each in dict.fromkeys(choice.ids)]
    is_sound = all(entry["state"] in ("sent", "completed") for entry in entries)
    return Said(as_json(entries) if json else "\n".join(map(_told, entries)) or "nothing lies there", is_sound)


async def _replayed(letters: DeadLetters, electron_id: str, seconds: float | None, *, wait: bool) -> dict[str, Any]:
    try:
        handle = await letters.replay(electron_id, timeout=seconds, reply=wait)
    except AtomizerError as error:
        return {"electron_id": electron_id, "atom_id": "", "state": "not_sent", "error": masked_message(str(error))}
    return await _sent(handle)


async def _sent(handle: Handle[Any]) -> dict[str, Any]:
    """Tell what became of a replay, once that is known."""
    ids = {"electron_id": handle.electron_id, "atom_id": handle.atom_id}
    try:
        outcome = outcome_of(await handle.properties())
        if "failure" in outcome:
            outcome["failure"] = masked_failure(outcome["failure"])
        return {**ids, **outcome}
    except NoReplyAsked:
        return {**ids, "state": "sent"}
    except AtomizerError as error:
        return {**ids, "state": "not_sent", "error": masked_message(str(error))}


def _told(entry: dict[str, Any]) -> str:
    """Tell what became of a replay, for people."""
    electron_id = one_line(entry["electron_id"])
    match entry["state"]:
        case "sent":
            return f"{electron_id}  sent again, to {one_line(entry['atom_id'])}"
        case "completed":
            return f"{electron_id}  completed: {joined(as_json(entry['result']))}"
        case "failed":
            failure = entry["failure"]
            return f"{electron_id}  {failure.kind}: {joined(': '.join(filter(None, (failure.type, failure.message))))}"
        case _:
            return f"{electron_id}  not sent: {masked_line(joined(entry['error']))}"


async def drop_letters(runtime: Atomizer, choice: Chosen, *, json: bool) -> Said:
    """Take letters away for good."""
    place, dropped, missing = _place(runtime, choice), 0, list[str]()
    if choice.every:
        with _usage():
            dropped = await place.drop_all(reason=choice.reason, atom=choice.atom)
    for electron_id in dict.fromkeys(choice.ids):
        try:
            dropped += await place.drop(electron_id)
        except LetterUnknown as error:
            missing.append(str(error))
    if json:
        return Said(as_json({"dropped": dropped, "errors": missing}), not missing)
    return Said("\n".join([f"{dropped:,} dropped", *map(one_line, missing)]), not missing)


@contextmanager
def _usage() -> Generator[None]:
    """Tell the user what of the choice is wrong."""
    try:
        yield
    except ValueError as error:
        raise Complaint(str(error), exit_code=USAGE) from error


def _place(runtime: Atomizer, choice: Chosen) -> DeadLetters | Unclaimed:
    return runtime.unclaimed if choice.unclaimed else runtime.dead_letters


def _reader(runtime: Atomizer, choice: Chosen) -> Callable[[DeadLetter], Any]:
    return runtime.unclaimed.properties if choice.unclaimed else runtime.dead_letters.electron
