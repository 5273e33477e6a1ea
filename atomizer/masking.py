"""Masking: what of a URL or a message may be shown, in logs and in what people pass on. Pure."""

from __future__ import annotations

import re

__all__ = ("masked", "masked_line", "masked_message", "masked_text", "one_line")


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
    """
    Hide the secrets of every URL in a text. A URL that stands for itself is better given to `masked`.

    Of a text that is longer than any message need be only the beginning is shown.
    """
    return _URL.sub(lambda found: masked(found[0]), _cut(text))


def masked_message(text: str) -> str:
    """
    Hide the secrets in a message of an unknown author.

    Beside those of URLs, a secret is what stands behind a name such as `password`, `token`, `secret`, `authorization`
    or `api_key` and a colon or an equals sign, and what stands behind `Bearer` or `Basic`. Other words are the
    author's, and are shown. It is cut as by `masked_text`.
    """
    text = masked_text(text)
    for secret in (_HEADER_SECRET, _AUTHORIZED, _NAMED_SECRET):
        text = secret.sub(r"\1***", text)
    return text


def masked_line(text: str) -> str:
    """Make a message of an unknown author fit for a log: its secrets hidden, and all of it in one line."""
    return one_line(masked_message(text))


def one_line(text: str) -> str:
    """Escape what a terminal or a reader of logs could take for more than a letter: control characters, line ends."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def _cut(text: str) -> str:
    """Cut a text that is too long, and not within a URL: of half a password nobody can tell what it is."""
    if len(text) <= _LONGEST:
        return text
    url = text.rfind("://", _LONGEST - _LONGEST_URL, _LONGEST)
    return f"{text[: _LONGEST if url < 0 else url]}…"


def _without_secret(user_info: str) -> str:
    """Keep the name of a user. Without a password behind it, or as long as a token is, it may be the secret itself."""
    user, _, password = user_info.partition(":")
    return f"{user}:***" if password and _NAME.fullmatch(user) else "***"


# Each pattern begins with a word or a sign of its own, and looks only so far from there: what it costs grows with the
# text, and not with its square, whoever wrote it.

_LONGEST = 8_192  # characters of a message
_LONGEST_URL = 1_024
_NAME = re.compile(r"[^\s/?#@\"']{0,31}")
_QUERY_SECRET = re.compile(
    r"([?&;][^?&;=\s]{0,64}(?:passw|passphrase|passcode|pass(?![a-z])|pwd|secret|token|key|credential|signature)[^?&;=\s]{0,64}=)[^&]*",
    re.IGNORECASE,
)
_URL = re.compile(
    r"""://
    (?: [^\s"'@/:?]* : (?!\d{1,5}(?:[/?\s]|$)) (?:(?!://)[^"'\n])* @ )?  # a password that is not escaped, but no port
    [^\s"']* (?<![.,:;)])""",
    re.VERBOSE,
)
_HEADER_SECRET = re.compile(r"((?:authorization|cookie)\\?[\"']?\s{0,4}[:=]\s{0,4})[^\r\n]+", re.IGNORECASE)
_NAMED_SECRET = re.compile(
    r"""
    ((?: passw | passphrase | passcode | (?<![a-z])pass(?![a-z]) | pwd | secret | token | credential | signature
       | (?: api | access | account | private | signing ) [ _-]? key )
     [\w.-]{0,40} \\?["']? \s{0,4} (?: => | [:=] ) \s{0,4})
    (?: \\?"(?: [^"\\] | \\. )*"? | \\?'(?: [^'\\] | \\. )*'? | [^\s,;&)\]}]+ )  # quoted, or as far as a word goes
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_AUTHORIZED = re.compile(r"\b((?:bearer|basic)\s{1,4})[\w.~+/=-]{8,}", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
