"""The public test kit: what a conductor's author and an application's tests need."""

from __future__ import annotations

from .conductor_checks import Bench, Check, CheckFailed, conductor_checks

__all__ = ("Bench", "Check", "CheckFailed", "conductor_checks")
