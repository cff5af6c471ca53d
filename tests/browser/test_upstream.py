"""Backbone's and Backbone.Radio's own tests pass with our overrides.

Radio's tests are in its npm package. No npm package of Backbone has its tests, so they come from Debian's source
package. That version is older: a test that also fails without our overrides is ignored. The tests need jQuery, which
the site does not have. They load it, but our methods add and remove the listeners of views.
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
# QUnit starts once the tests are loaded.
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
        pytest.skip("Backbone's own tests are in Debian's source package, and no apt here can download it")
    files = re.findall(r"<script src=\"((?!vendor/|\.\./)[^\"]+)", (directory / "index.html").read_text())
    return Suite(directory, files, QUNIT, "backbone.js", "QUnit.test(", LIBRARIES_WITH_JQUERY)


async def test_a_developer_sees_radios_own_tests_pass(browser: Browser, radio: Suite) -> None:
    result = await radio.run(browser, ours())
    assert not result["failed"], "\n".join(result["failed"])
    assert len(result["passed"]) == radio.count() > 100


async def test_a_developer_sees_backbones_own_tests_pass(browser: Browser, backbone: Suite) -> None:
    without = await backbone.run(browser, [])
    result = await backbone.run(browser, ours())
    known = [name for name in result["failed"] if name in without["failed"]]
    print(f"these fail without our overrides, too: {known}")
    failed = [name for name in result["failed"] if name not in known]
    assert [name for name in failed if not name.startswith(NEEDS_JQUERYS_LISTENERS)] == []
    assert len(failed) == 1, "this test no longer needs jQuery: remove the exception"
    assert len(result["passed"]) + len(known) + len(failed) == backbone.count() > 400
