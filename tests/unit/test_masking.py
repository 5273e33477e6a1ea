"""What of a URL is shown: never a secret."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomizer import Settings
from atomizer.masking import masked, masked_line, masked_text, one_line

LETTERS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=5)
ODD = st.text(" @/:?#&%;='\"\\", max_size=3)
SECRET = st.lists(LETTERS | ODD, min_size=1).map("".join).filter(str.strip)
"""Capital letters, and between them whatever should have been escaped: no part of a URL here has any but the secret."""
IN_QUERY = SECRET.map(lambda text: text.replace("&", "")).filter(bool)
NAMES = ("password", "passwd", "pwd", "pass", "secret", "token", "key", "apikey", "api_key", "db_pass", "access_token")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://guest:secret@host/vhost", "amqp://guest:***@host/vhost"),
        ("amqp://guest:se@cr/et@host/", "amqp://guest:***@host/"),
        ("amqp://u:a b@h", "amqp://u:***@h"),
        ("amqp://token:@h", "amqp://***@h"),
        ("foo://h?pwd=a@b", "foo://***"),
        ("amqp://:secret@h", "amqp://:***@h"),
        ("nats://token@host", "nats://***@host"),
        ("https://ghp_0123456789abcdef0123456789abcdef:x@host", "https://***@host"),
        ("http://host/?api_key=abc&size=3", "http://host/?api_key=***&size=3"),
        ("foo://h?pwd=geheim", "foo://h?pwd=***"),
        ("foo://h?pass=geheim&passive=yes", "foo://h?pass=***&passive=yes"),
        ("foo://h?a=1&Password=a;b", "foo://h?a=1&Password=***"),
        ("memory://shop?capacity=10", "memory://shop?capacity=10"),
        ("amqp://host:5672/vhost", "amqp://host:5672/vhost"),
        ("", ""),
        ("me@example", "me@example"),
    ],
)
def test_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    """In a text as by itself, and once masked it stays as it is."""
    assert masked(url) == shown
    assert masked(shown) == shown
    assert masked_text(f'[cid:x] no way to "{url}"') == f'[cid:x] no way to "{shown}"'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"url": "amqp://a:b@host", "to": "x@y"}', '{"url": "amqp://a:***@host", "to": "x@y"}'),
        ("memory://shop, and me@example", "memory://shop, and me@example"),
        ("http://host:80 is not for me@example", "http://host:80 is not for me@example"),
        ("from amqp://a:b@one to amqp://c:d e@two", "from amqp://a:***@one to amqp://c:***@two"),
        ("foo://u:a b@h: refused", "foo://u:***@h: refused"),
        ("foo://h?pwd=geheim is wrong", "foo://h?pwd=*** is wrong"),
    ],
)
def test_every_url_in_a_text_is_shown_without_its_secrets(text: str, shown: str) -> None:
    """Whatever is said goes into logs."""
    assert masked_text(text) == shown


@given(SECRET)
def test_no_part_of_a_password_survives(secret: str) -> None:
    """Escaped or not."""
    token = secret.replace(":", "")
    for url in (f"amqp://me:{secret}@host/vhost", f"amqp://me:{secret}@host?size=3", f"amqp://{token}@host"):
        assert not any(letter.isupper() for letter in masked(url)), url


@given(st.sampled_from(NAMES), IN_QUERY)
def test_no_part_of_a_secret_in_a_query_survives(name: str, secret: str) -> None:
    """Whichever of the usual names it has."""
    assert not any(letter.isupper() for letter in masked(f"http://host/path?size=3&{name}={secret}&last=1"))


@given(SECRET)
def test_settings_show_no_secret_of_their_url(secret: str) -> None:
    """They are printed wherever somebody looks for what is wrong."""
    shown = repr(Settings(url=f"amqp://me:{secret}@host"))

    assert "url='amqp://me:***@host'" in shown
    assert repr(Settings(url="amqp://host")).replace("//host", "//me:***@host", 1)[:60] == shown[:60]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no way to amqp://me:geheim@host/", "no way to amqp://me:***@host/"),
        ("login failed: password=geheim, user=me", "login failed: password=***, user=me"),
        ("PGPASSWORD: geheim (me)", "PGPASSWORD: *** (me)"),
        ("db_password = 'ge heim' was refused", "db_password = *** was refused"),
        ('{"user": "me", "access_token": "ge\\"heim", "size": 3}', '{"user": "me", "access_token": ***, "size": 3}'),
        ("{'secret': 'geheim', 'size': 3}", "{'secret': ***, 'size': 3}"),
        ('got {\\"api_key\\": \\"geheim\\"}', 'got {\\"api_key\\": ***'),
        ("X-Api-Key: geheim", "X-Api-Key: ***"),
        ("aws_secret_access_key=geheim", "aws_secret_access_key=***"),
        ("Authorization: Digest user=me, response=geheim", "Authorization: ***"),
        ("{'Authorization': 'Bearer geheim'}", "{'Authorization': ***"),
        ("Set-Cookie: session=geheim; Path=/", "Set-Cookie: ***"),
        ("sent Bearer eyJhbGciOi.geheim", "sent Bearer ***"),
        ("client_secret => geheim", "client_secret => ***"),
        ("token='geheim", "token=***"),
        ("KeyError: 'b', and a key: 3", "KeyError: 'b', and a key: 3"),
        ("the basic idea of a token", "the basic idea of a token"),
    ],
)
def test_named_secret_is_hidden_in_the_message_of_a_log(text: str, shown: str) -> None:
    """However it is written: as an assignment, a header, a dictionary or JSON."""
    assert masked_line(text) == shown
    assert masked_line(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no\nlevel=info forged", "no\\nlevel=info forged"),
        ("a\r\x1b[2Jb", "a\\r\\x1b[2Jb"),
        ("a\x85b\u2028c\u202ed", "a\\x85b\\u2028c\\u202ed"),
        ("\ud800", "\\ud800"),
        ("π × größer", "π × größer"),
    ],
)
def test_what_is_logged_is_one_line(text: str, shown: str) -> None:
    """Nobody writes a second line into a log, or moves the cursor of who reads it."""
    assert one_line(text) == masked_line(text) == shown


@given(st.sampled_from(sorted({*NAMES, "X-Secret-Token", "Authorization"} - {"key"})), LETTERS, st.text())
def test_no_part_of_a_named_word_survives(name: str, secret: str, before: str) -> None:
    """Whatever stands before it. A `key` by itself is most often no secret: it is hidden in URLs alone."""
    hidden = masked_line(f"{before.lower()} {name}={secret}").rpartition("=")[2]

    assert not any(letter.isupper() for letter in hidden)


PARTS = (
    "a",
    "token",
    "secret\\",
    "pwd='\\\"",
    "a-",
    "cookie ",
    "a://",
    "a://b:c ",
    "bearer  ",
    "?",
    "?pass",
    "b:",
    "://:'",
)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("before", ["", "a://", "a://h?", "a://b:"])
def test_work_grows_with_a_message_and_not_with_its_square(before: str, part: str) -> None:
    """Eight times the letters may take twenty-four times as long; what grows with the square takes sixty-four."""

    def seconds(letters: int) -> float:
        message = before + part * (letters // len(part))
        return min(_seconds_of(message) for _ in range(5))

    assert seconds(8_000) < 24 * seconds(1_000) + 1e-3


def _seconds_of(message: str) -> float:
    began = process_time()
    masked(message)
    masked_line(message)
    return process_time() - began


def test_no_more_than_the_beginning_of_a_message_is_masked() -> None:
    """A node may send megabytes, and a line is for people."""
    shown = masked_line("a" * 100_000)

    assert shown.endswith("a…")
    assert len(shown) < 10_000


@pytest.mark.parametrize("letters", range(8_150, 8_200, 7))
def test_message_is_not_cut_within_a_url(letters: int) -> None:
    """Half a password would not be known as one."""
    shown = masked_line(f"{'a' * letters} amqp://me:GEHEIMGEHEIMGEHEIMGEHEIM@host {'b' * 9_000}")

    assert not any(letter.isupper() for letter in shown)


@pytest.mark.parametrize("before", ["1", "_", "a" * 100, "(", "+"])
def test_url_is_found_whatever_stands_before_it(before: str) -> None:
    """No name of a scheme is too long or too odd to have a password behind it."""
    assert masked_text(f"{before}amqp://me:geheim@host") == f"{before}amqp://me:***@host"
