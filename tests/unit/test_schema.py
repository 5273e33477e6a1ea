"""
The wire is frozen: golden files hold what travels, and no test writes them.

A failure here means that nodes of this version and nodes out there may no longer understand each other. If that is
meant, see `tests/unit/golden/write.py`.
"""

from __future__ import annotations

import json

import pytest

from tests.unit.golden import current

SCHEMA = json.loads(current.SCHEMA.read_text())
BODIES = json.loads(current.BODIES.read_text())


def test_schema_has_the_same_structs() -> None:
    """No kind of body has come or gone."""
    assert sorted(current.schema()) == sorted(SCHEMA)


@pytest.mark.parametrize("struct", SCHEMA)
def test_struct_has_the_same_fields(struct: str) -> None:
    """Each with the same name, place, type, bounds and default; and the struct in the same form, with the same tag."""
    now = current.schema()[struct]

    assert now == SCHEMA[struct]
    assert list(now["fields"]) == list(SCHEMA[struct]["fields"])


def test_bodies_are_of_the_same_samples() -> None:
    """No sample has come or gone."""
    assert list(current.SAMPLES) == list(BODIES)


@pytest.mark.parametrize("codec", current.CODECS)
@pytest.mark.parametrize("sample", current.SAMPLES)
def test_body_is_written_byte_for_byte_as_ever(sample: str, codec: str) -> None:
    """By every codec."""
    body = current.write(current.CODECS[codec], current.SAMPLES[sample])

    assert current.as_text(body) == BODIES[sample][codec]


@pytest.mark.parametrize("codec", current.CODECS)
@pytest.mark.parametrize("sample", current.SAMPLES)
def test_body_of_old_is_read(sample: str, codec: str) -> None:
    """What was written by the version that froze it means what it meant."""
    body = current.as_body(BODIES[sample][codec])

    assert current.read(current.CODECS[codec], current.SAMPLES[sample], body) == current.SAMPLES[sample]
