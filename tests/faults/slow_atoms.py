"""An atom whose module takes its time to be loaded in a child process."""

from __future__ import annotations

import os
import threading

import atomizer

if os.environ.get("ATOMIZER_TEST_LOAD_SECONDS"):
    threading.Event().wait(float(os.environ["ATOMIZER_TEST_LOAD_SECONDS"]))


@atomizer.atom(id="tests.slow_to_load", isolation="process")
def slow_to_load(number: int) -> int:
    """Give a number back, unless it is below zero."""
    while number < 0:
        pass
    return number
