"""Masking: what of a URL may be shown, in logs and in what people pass on. Pure."""

from __future__ import annotations

import re

__all__ = ("masked", "masked_text")


def masked(url: str) -> str:
    """
    Hide the secrets of a URL: what is before its last `@`, but for a user's name, and passwords and keys in its query.

    Args:
        url: As a user wrote it. What should be escaped in it need not be: too much is hidden rather than too little.

    Returns:
        The URL with `***` in place of each secret; as it is, if it holds none.
    """
    scheme, separator, rest = url.partition("://")
    user_info, at, place = rest.rpartition("@")
    if separator and at and _QUERY_SECRET.search(user_info):  # it may end on either side of the @
        rest = "***"
    elif separator and at:
        rest = f"{_without_secret(user_info)}@{place}"
    return _QUERY_SECRET.sub(r"\1***", f"{scheme}{separator}{rest}")


def masked_text(text: str) -> str:
    """Hide the secrets of every URL in a text. A URL that stands for itself is better given to `masked`."""
    return _URL.sub(lambda found: masked(found[0]), text)


def _without_secret(user_info: str) -> str:
    """Keep the name of a user. Without a password behind it, or as long as a token is, it may be the secret itself."""
    user, _, password = user_info.partition(":")
    return f"{user}:***" if password and _NAME.fullmatch(user) else "***"


_NAME = re.compile(r"[^\s/?#@\"']{0,31}")
_QUERY_SECRET = re.compile(
    r"([?&;][^?&;=\s]*(?:passw|passphrase|passcode|pass(?![a-z])|pwd|secret|token|key|credential|signature)[^?&;=\s]*=)[^&]*",
    re.IGNORECASE,
)
_URL = re.compile(
    r"""[a-z][\w+.-]*://
    (?: [^\s"'@/:?]* : (?!\d{1,5}(?:[/?\s]|$)) (?:(?!://)[^"'\n])* @ )?  # a password that is not escaped, but no port
    [^\s"']* (?<![.,:;)])""",
    re.IGNORECASE | re.VERBOSE,
)
