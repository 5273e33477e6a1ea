"""The test that the documentation shows passes where the plugin and its option are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.examples.pages import ROOT

if TYPE_CHECKING:
    import pytest

pytest_plugins = ("pytester",)

PAGE = ROOT / "docs/how-to/test-your-atoms.md"


def test_page_shows_a_test_that_passes_with_the_settings_it_shows(pytester: pytest.Pytester) -> None:
    """The file and the settings are as the page has them; the clock moves by an hour, and no ledger is broken."""
    page = PAGE.read_text()
    (settings,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (test,) = re.findall(r"^```python\n(# test_shop\.py\n.*?)^```", page, re.MULTILINE | re.DOTALL)
    pytester.makepyprojecttoml(settings)
    pytester.makepyfile(test_shop=test)
    without = [f"-pno:{name}" for name in ("atomizer", "randomly", "timeout", "cacheprovider")]

    result = pytester.runpytest_inprocess(*without, "-patomizer.testing.pytest_plugin")

    result.assert_outcomes(passed=1)
