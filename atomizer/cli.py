"""The command line: what the commands are called, and which options they take. `atomizer --help` shows it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from math import isnan
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from ._cli.complaint import FINDING, INTERRUPTED, UNWRITABLE, USAGE, Complaint
from ._cli.voice import Unwritable, Voice, is_broken, let_go_of_broken_streams
from .masking import masked_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from ._cli.visiting import Said
    from .runtime import Atomizer

__all__ = ("main",)

EXIT_CODES = """\b
Exit codes:
  0    done
  1    doctor found something; bench lost, doubled or failed an electron,
       or had no time to measure; run stopped, and an atom could not be closed;
       dead found no such letter, or what it sent again was not taken or failed;
       no node answered nodes or inspect, or none has the electron
  2    wrong usage, or a setting out of its range
  3    a target cannot be imported or served, or holds no atoms
  4    the conductor is unknown or cannot be reached
  5    standard output cannot be written; a node goes on without it
  130  Ctrl-C before there was anything to finish, or a second one
  143  a second SIGTERM
"""


def _say(text: str) -> None:
    try:
        click.echo(text)
    except (OSError, ValueError) as error:
        raise Unwritable(error) from error


def _write_note(text: str) -> None:
    click.echo(text, err=True)


def _note(text: str) -> None:
    Voice(_say, _write_note).note(masked_line(text))


class _Misuse(click.ClickException):
    """Wrong usage, in one line."""

    exit_code = USAGE

    def show(self, file: IO[Any] | None = None) -> None:
        _note(f"atomizer: {self.message}")


@contextmanager
def _misuse_in_one_line() -> Generator[None]:
    try:
        yield
    except NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        command = "atomizer" if error.ctx is None else error.ctx.command_path
        said = " ".join(error.format_message().split()).removesuffix(".")
        raise _Misuse(f"{said} (see `{command} --help`)") from error


class _Commands(click.Group):
    """Commands whose complaints are one line, and whose names may be mistyped."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except Unwritable as error:
            _give_up(error)
        except OSError as error:  # where click itself writes, as for --help
            if not is_broken(sys.stdout, probe="\n"):
                raise
            _give_up(Unwritable(error))
        finally:
            let_go_of_broken_streams()

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _misuse_in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _misuse_in_one_line():
                return super().invoke(ctx)
        except Complaint as complaint:
            _note(f"atomizer: {complaint}")
            ctx.exit(complaint.exit_code)
        except KeyboardInterrupt:
            _note("atomizer: interrupted")
            ctx.exit(INTERRUPTED)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            from .errors import nearest

            ctx.fail(f"there is no command {args[0]!r}; {nearest(args[0], self.commands, known_as='known')}")
        return super().resolve_command(ctx, args)


class _Seconds(click.FloatRange):
    """A span of time that clocks and timers can hold."""

    name = "seconds"

    def __init__(self, *, least: float = 0.0) -> None:
        super().__init__(min=least, max=_LONGEST)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if isnan(seconds):  # no comparison finds it out of a range
            self.fail(f"{value!r} is no span of time", param, ctx)
        return seconds


_LONGEST = 1e9  # seconds, thirty years


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from ._cli.installation import version

        _say(f"atomizer {version()}, Python {sys.version.split()[0]}")
        ctx.exit()


@click.group(
    cls=_Commands, name="atomizer", epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show it.")
def main() -> None:
    """Atoms compute, electrons ask, conductors carry."""


_conductor = click.option(
    "--conductor", "--url", metavar="URL", help="As in memory://name; else ATOMIZER_URL, else in memory."
)
_json = click.option("--json", "as_json", is_flag=True, help="For machines.")
_LOG_STYLES = ("console", "json")
_seconds = click.option("--seconds", type=_Seconds(), default=1.0, show_default=True, help="To gather answers for.")
_BENCH_ATOMS = ("noop", "suspend", "process")
_targets = click.argument("targets", nargs=-1, required=True, metavar="TARGET...")


@main.command()
@_targets
@_conductor
@click.option("--name", help="The node's name; host-pid-random if not given.")
@click.option("--slots", type=click.IntRange(min=1), help="How many electrons run at once.")
@click.option("--grace", type=_Seconds(), metavar="SECONDS", help="To finish in, when told to stop.")
@click.option("--set", "said", multiple=True, metavar="FIELD=VALUE", help="Any other setting; may be repeated.")
@click.option("--log", type=click.Choice(_LOG_STYLES), help="One line for each electron, on standard error.")
@_json
def run(
    targets: tuple[str, ...],
    conductor: str | None,
    said: tuple[str, ...],
    log: Literal["console", "json"] | None,
    as_json: bool,
    **given: Any,
) -> None:
    """
    Serve atoms until told to stop.

    A TARGET is a module, which stands for every atom that it defines or registers, or MODULE:NAME, which stands for
    one atom, instance or conductor, or a list of them. The current folder can be imported from.

    The first SIGTERM or Ctrl-C lets what is under way finish; the second ends the process at once. Errors go to
    standard error, one line each; with --log, so does the end of each electron.
    """
    from ._cli.fields import fields_said
    from ._cli.serving import serve_targets

    flags = {name: value for name, value in given.items() if value is not None}
    serve_targets(targets, conductor, fields_said(said) | flags, Voice(_say, _write_note, as_json=as_json), log=log)


@main.command()
@_targets
@_json
@click.option("--schema", "only_schemas", is_flag=True, help="Only what travels, as JSON Schema by atom id.")
def atoms(targets: tuple[str, ...], as_json: bool, only_schemas: bool) -> None:
    """
    List atoms: what they take and give.

    A TARGET is as for `atomizer run`. With --json or --schema, payload and result come with a JSON Schema.
    """
    from ._cli.listing import list_atoms

    _say(list_atoms(targets, as_json=as_json, only_schemas=only_schemas))


@main.command()
@_conductor
@click.option("--electrons", type=click.IntRange(min=1), default=50_000, show_default=True, help="For each round.")
@click.option("--size", type=click.IntRange(min=8), default=100, show_default=True, help="Bytes of each payload.")
@click.option("--outstanding", type=click.IntRange(min=1), default=1_000, show_default=True, help="Electrons at once.")
@click.option("--atom", type=click.Choice(_BENCH_ATOMS), default="noop", show_default=True, help="What runs.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Medians are over them.")
@click.option("--seconds", type=_Seconds(least=0.1), default=60.0, show_default=True, help="Stop asking then.")
@click.option("--deadline/--no-deadline", default=True, show_default=True, help="Whether electrons have one.")
@_json
def bench(conductor: str | None, as_json: bool, **plan: Any) -> None:
    """
    Measure electrons through a conductor.

    This process asks and answers: a no-op atom gives its payload back, at once, after one turn of the event loop, or
    from a child process.
    """
    from ._cli.benchmark import measure
    from ._cli.figures import Plan

    figures = measure(Plan(**plan), conductor)
    _say(figures.as_json() if as_json else figures.for_people())
    if not figures.is_sound:
        click.get_current_context().exit(FINDING)


@main.command()
@_conductor
@_json
def doctor(conductor: str | None, as_json: bool) -> None:
    """Look whether everything here is as it should be."""
    from ._cli.doctor import examine

    diagnosis = examine(conductor)
    _say(diagnosis.as_json() if as_json else diagnosis.for_people())
    if not diagnosis.is_well:
        click.get_current_context().exit(FINDING)


@main.command()
@_conductor
@_seconds
@_json
def nodes(conductor: str | None, seconds: float, as_json: bool) -> None:
    """List the nodes of a fleet: what each of them is doing, and whether it can be relied on."""
    from ._cli.fleet import nodes_of

    _at_runtime(conductor, as_json, lambda runtime: nodes_of(runtime, seconds, as_json=as_json))


@main.command()
@click.argument("electron", required=False)
@_conductor
@click.option("--node", help="Ask this node alone.")
@_seconds
@_json
def inspect(electron: str | None, conductor: str | None, node: str | None, seconds: float, as_json: bool) -> None:
    """
    Show what is under way in a fleet: everything, or one ELECTRON by its id.

    Where, since when, in which state, until when, which attempt, how far, and for which parent. What no node has taken
    yet is nowhere to be seen.
    """
    from ._cli.fleet import bonds_of

    _at_runtime(conductor, as_json, lambda runtime: bonds_of(runtime, electron, node, seconds, as_json=as_json))


@main.command()
@_conductor
@click.option("--errors", is_flag=True, help="Only what goes wrong.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind, as in failed; may be repeated.")
@click.option("--atom", metavar="ID", help="Only what is about this atom.")
@click.option("--electron", metavar="ID", help="Only what is about this electron.")
@click.option("--count", "most", type=click.IntRange(min=1), help="End after so many.")
@_json
def events(conductor: str | None, as_json: bool, **wanted: Any) -> None:
    """
    Follow what happens in a fleet, until Ctrl-C.

    Each event is a line: when, on which node, and [cid:… | aid:… | eid:…] with what happened.
    """
    from ._cli.visiting import at_runtime
    from ._cli.watching import Watch, watch

    voice = Voice(_say, _write_note, as_json=as_json)
    at_runtime(conductor, lambda runtime: watch(runtime, Watch(**wanted), _say, as_json=as_json), voice)


@main.group(cls=_Commands, name="dead")
def dead() -> None:
    """Look at what was given up on, send it again, or drop it."""


_ids = click.argument("ids", nargs=-1, metavar="[ID]...")
_unclaimed = click.option("--unclaimed", is_flag=True, help="Results that nobody was there to take.")
_atom = click.option("--atom", metavar="ID", help="Only those of that atom.")
_reason = click.option("--reason", metavar="WORD", help="Only those of that reason, as in failed or poison.")
_every = click.option("--all", "every", is_flag=True, help="All, or all of an --atom or a --reason.")


@dead.command(name="list")
@_conductor
@_unclaimed
@_atom
@_reason
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many at most.")
@_json
def list_dead(conductor: str | None, as_json: bool, limit: int, **choice: Any) -> None:
    """List letters, the oldest first, without what is in them."""
    from ._cli.dead import Chosen, list_letters

    _at_runtime(conductor, as_json, lambda runtime: list_letters(runtime, Chosen(**choice), limit, json=as_json))


@dead.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@_conductor
@_unclaimed
@_json
def show(conductor: str | None, as_json: bool, **choice: Any) -> None:
    """Show the letters of electrons, with payload or result."""
    from ._cli.dead import Chosen, show_letters

    _at_runtime(conductor, as_json, lambda runtime: show_letters(runtime, Chosen(**choice), json=as_json))


@dead.command()
@_ids
@_conductor
@_every
@_atom
@_reason
@click.option("--timeout", type=_Seconds(), metavar="SECONDS", help="For the whole of its new life.")
@click.option("--wait", is_flag=True, help="For the outcome, and show it. Else nobody waits for it.")
@_json
def replay(conductor: str | None, as_json: bool, timeout: float | None, wait: bool, **choice: Any) -> None:
    """
    Send electrons again, under the same id, as if for the first time.

    A letter is taken away when its electron was taken. Should that fail again, it is a letter again.
    """
    from ._cli.dead import Chosen, replay_letters

    chosen = Chosen(**choice)
    chosen.check()
    _at_runtime(conductor, as_json, lambda runtime: replay_letters(runtime, chosen, timeout, wait=wait, json=as_json))


@dead.command()
@_ids
@_conductor
@_unclaimed
@_every
@_atom
@_reason
@_json
def drop(conductor: str | None, as_json: bool, **choice: Any) -> None:
    """Take letters away for good."""
    from ._cli.dead import Chosen, drop_letters

    chosen = Chosen(**choice)
    chosen.check()
    _at_runtime(conductor, as_json, lambda runtime: drop_letters(runtime, chosen, json=as_json))


def _at_runtime(url: str | None, as_json: bool, act: Callable[[Atomizer], Awaitable[Said]]) -> None:
    from ._cli.visiting import at_runtime, note_to

    voice = Voice(_say, _write_note, as_json=as_json)
    said = at_runtime(url, act, voice)
    _say(said.text)
    if said.note:
        note_to(voice, said.note)
    if not said.is_sound:
        click.get_current_context().exit(FINDING)


def _give_up(error: Unwritable) -> NoReturn:
    if not error.reader_is_gone:
        _note(f"atomizer: {error}")
    sys.exit(UNWRITABLE)
