"""The name of a node that was given none."""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ("new_name",)


def new_name(settings: Settings) -> str:
    """Make a name that no other node has: of this machine, this process, and chance."""
    host = re.sub(r"[^0-9A-Za-z_-]", "-", socket.gethostname())[:32]
    return f"{host}-{os.getpid()}-{settings.random.getrandbits(32):08x}"
