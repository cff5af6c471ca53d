"""Backbone's and Backbone.Radio's own tests still pass with what we put over them.

Radio's are in its npm package. Backbone's npm package has none (no version has), so they come from Debian's source
package of it, whose version is older: what fails there without ours, too, says nothing of ours. They need jQuery, which
the site does not have: it is loaded for them, but our methods add and remove the listeners of views.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.upstream import backbone_tests
from tests.browser.upstream.stage import LIBRARIES_WITH_JQUERY, NPM, Suite, ours

if TYPE_CHECKING:
    from playwright.async_api import Browser

MOCHA = "<script defer src='/npm/mocha/mocha.js'></script>"
# Its last line removes the listener of a view with jQuery's `off`, which knows only jQuery's own listeners.
NEEDS_JQUERYS_LISTENERS = "Backbone.View: custom events"
# It starts when the tests are there.
QUNIT = (
    "<script>QUnit = { config: { autostart: false } }</script><script defer src='/npm/qunit/qunit/qunit.js'></script>"
)


@pytest.fixture
def radio() -> Suite:
    directory = NPM / "backbone.radio/test/unit"
    return Suite(directory, sorted(path.name for path in directory.glob("*.js")), MOCHA, "radio.js", "it(")


@pytest.fixture
def backbone(request: pytest.FixtureRequest) -> Suite:
    directory = backbone_tests.fetch(request.config.cache.mkdir("backbone"))
    if directory is None:
        pytest.skip("Backbone's own tests are in Debian's source package, and there is no apt here that gives it")
    files = re.findall(r"<script src=\"((?!vendor/|\.\./)[^\"]+)", (directory / "index.html").read_text())
    return Suite(directory, files, QUNIT, "backbone.js", "QUnit.test(", LIBRARIES_WITH_JQUERY)


async def test_radios_own_tests_pass(browser: Browser, radio: Suite) -> None:
    verdict = await radio.run(browser, ours())
    assert not verdict["failed"], "\n".join(verdict["failed"])
    assert len(verdict["passed"]) == radio.count() > 100


async def test_backbones_own_tests_pass(browser: Browser, backbone: Suite) -> None:
    without = await backbone.run(browser, [])
    verdict = await backbone.run(browser, ours())
    known = [name for name in verdict["failed"] if name in without["failed"]]
    print(f"fail without ours, too: {known}")
    failed = [name for name in verdict["failed"] if name not in known]
    assert [name for name in failed if not name.startswith(NEEDS_JQUERYS_LISTENERS)] == []
    assert len(failed) == 1, "this test needs jQuery no more: look again"
    assert len(verdict["passed"]) + len(known) + len(failed) == backbone.count() > 400
