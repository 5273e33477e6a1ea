"""
Finding conductors: from the scheme of a URL to the class that answers to it.

Ours are in a table; others come from installed packages that name them in the entry-point group `atomizer.conductors`.
Nothing is imported before a URL asks for it.
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from .conductor import Conductor
from .errors import ConductorUnknown, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ("conductor_from_url",)

GROUP = "atomizer.conductors"
"""The entry-point group: the name is the scheme, the object has `from_url(url) -> Conductor`."""


class Home(NamedTuple):
    """Where one of our conductors lives."""

    module: str
    name: str
    extra: str = ""
    """What is installed with it, as in `atomizer-engine[http]`; empty where nothing more is needed."""


HOMES: dict[str, Home] = {"memory": Home("atomizer.memory", "MemoryConductor")}


def conductor_from_url(url: str) -> Conductor:
    """
    Make the conductor that a URL describes. Nothing is connected.

    Args:
        url: As in `memory://` or `amqp://user:password@host/vhost`. No message repeats it: it may hold a password.

    Raises:
        ConductorUnknown: No conductor answers to its scheme, or its package is missing; the message says what to do.
        ValueError: The conductor cannot read the rest of it.
    """
    scheme = _scheme(url)
    home = HOMES.get(scheme)
    made = (_offered(scheme) if home is None else load(scheme, home)).from_url(url)
    if not isinstance(made, Conductor):
        raise ConductorUnknown(f"what answers to {scheme}:// gave a {type(made).__qualname__}, which is no Conductor")
    return made


def _scheme(url: str) -> str:
    scheme, found, _ = url.partition("://")
    if not found or not _SCHEME.fullmatch(scheme):
        raise ConductorUnknown("a conductor's URL begins with a scheme and `://`, as in memory://; this one does not")
    return scheme.lower()


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


def load(scheme: str, home: Home) -> Any:
    """
    Import one of our conductors.

    Raises:
        ConductorUnknown: It cannot be imported; the message says why and what to do.
    """
    if home.module.startswith("conductors.") and (in_the_way := what_is_in_the_way()):
        raise ConductorUnknown(
            f"{scheme}:// is answered by atomizer's own package `conductors`, and {in_the_way} is in its way: rename "
            "that, or import it as part of a package of yours and take its folder off the front of the import path"
        )
    try:
        return getattr(import_module(home.module), home.name)
    except ImportError as error:
        raise ConductorUnknown(f"{scheme}:// cannot be had: {error}; {_cure(home, error)}") from error


def what_is_in_the_way() -> str:
    """
    Say what is imported in place of our package `conductors`; empty if nothing is.

    Ours lies beside `atomizer`. Somebody else's is looked up without being run.
    """
    from pathlib import Path  # noqa: PLC0415  # slow to import, and only needed with a conductor over a network

    spec = find_spec("conductors")
    if spec is None:
        return ""
    ours = Path(__file__).resolve().parent.parent
    places = list(spec.submodule_search_locations or ()) or [spec.origin or ""]
    return "" if any(Path(place).resolve().parent == ours for place in places) else places[0]


def _cure(home: Home, error: ImportError) -> str:
    if (error.name or "").partition(".")[0] in ("atomizer", "conductors"):
        return "the installation is not whole: pip install --force-reinstall atomizer-engine"
    return f"pip install 'atomizer-engine[{home.extra}]'" if home.extra else "pip install atomizer-engine"


def _offered(scheme: str) -> Any:
    """Import what an installed package offers for a scheme."""
    from importlib.metadata import entry_points  # noqa: PLC0415  # only for schemes that are not ours

    offers = entry_points(group=GROUP)
    found = {offer.value: offer for offer in offers if offer.name == scheme}
    if not found:
        raise ConductorUnknown(f"no conductor answers to {scheme}://; {nearest(scheme, {*HOMES, *offers.names})}")
    if len(found) > 1:
        raise ConductorUnknown(
            f"several packages answer to {scheme}://: {', '.join(sorted(found))}; uninstall all but one"
        )
    return _import_offer(scheme, found.popitem()[1])


def _import_offer(scheme: str, offer: EntryPoint) -> Any:
    try:
        offered = offer.load()
    except Exception as error:  # a foreign module: it may raise anything while it is imported
        raise ConductorUnknown(
            f"{scheme}:// is offered by {offer.value}, which cannot be imported: {error!r}"
        ) from error
    if not callable(getattr(offered, "from_url", None)):
        raise ConductorUnknown(f"{scheme}:// is offered by {offer.value}, which has no from_url(url)")
    return offered
