"""The language check: `python -m tests.support.language` fails on text that CONTRIBUTING.md ("How to write") rules out.

It reads comments, docstrings, names of functions, test titles and Markdown, without code in backquotes. It finds

1. a headless clause: `who`, `whoever` or `what` as the subject of a sentence or clause ("Who waits is woken");
2. a retired word: private vocabulary that has a standard term (`RETIRED_WORDS`);
3. a retired verb or noun in the name of a function or constant (`RETIRED_IN_NAMES`).

Arguments are paths: then it checks only these files, and the files below these folders.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECKED = ("app/*.py", "app/*.js", "app/*.css", "tests/*.py", "tests/*.js", "bench/*.py", "migrations/*.py", "*.md")
NOT_OURS = ("THIRD_PARTY_NOTICES.md", "app/static/vendor/", "tests/browser/upstream/")

RETIRED_WORDS = {
    "courier": "outbox sender",
    "farewell": "last event, or end of the stream",
    "glide": "FLIP animation",
    "hears": "receives, or gets",
    "one's": "your, or the user's",
    "patience": "timeout",
    "postman": "mailer",
    "pulse": "heartbeats",
    "shelf": "local storage",
    "tally": "like count",
    "told": "notified, gets, or receives",
    "upkeep": "maintenance",
}
RETIRED_IN_NAMES = {
    "again": "RETRY_…",
    "bury": "delete, or discard",
    "doubt": "verify, or reload",
    "hear": "receive, or handle",
    "most": "MAX_…",
    "patience": "…_TIMEOUT_SECONDS",
    "say": "send, show, or format",
    "shortest": "MIN_…",
    "tell": "send, or notify",
    "told": "sent, or notified",
}

_AUXILIARY = re.compile(
    r"is|are|was|were|has|have|had|can|cannot|may|might|must|will|would|shall|should|does|do|did|isn't|doesn't"
)
# Words that end in "s" and are not verbs, after "what".
_NOT_VERBS = re.compile(
    r"\w+'s|its|this|us|(alice|bob|client|comment|frame|hint|machine|model|moderator|operator|other|part|process(e)?|ring"
    r"|session|test|user|browser)s|prometheus"
)
_SUBORDINATOR = r"because|since|if|when|while|unless|although|whether|so that|, so|, and|, but"
_CLAUSE = re.compile(
    rf"(?:(?P<start>^|[.!?:;]\s+(?:[-*]\s+)?|\|\s*|\*\*)|\b(?:{_SUBORDINATOR})\s+)(?P<word>who|whoever|what)\s+"
    r"(?P<next>[\w'’]+)(?P<rest>[^.!?]*[.!?]?)",
    re.IGNORECASE,
)
_WHO_AS_OBJECT = re.compile(r"\b(?:for|to|by|from|with|than) (?:who|whoever)\b", re.IGNORECASE)
_RETIRED = re.compile(rf"\b(?:{'|'.join(RETIRED_WORDS)})\b", re.IGNORECASE)
_CODE_BLOCK = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_NEW_BLOCK = re.compile(r"\s*(?:[-*] |#|\||>|\d+\. )")
_MARKER = re.compile(r"^\s*(?:[-*#>]+|\d+\.)\s+")
_CODE = re.compile(r"`[^`]*`")
_JS_COMMENT = re.compile(r"/\*.*?\*/|(?:(?<=\s)|^)//[^\n]*", re.DOTALL | re.MULTILINE)
_JS_TEST = re.compile(r'\btest\("([^"\n]+)"')
_JS_FUNCTION = re.compile(r"\bfunction (\w+)|^  #?(?:async )?(\w+)\([^)\n]*\) \{$|^const ([A-Z_]+) =", re.MULTILINE)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Text:
    """A piece of prose, or a name, and the line that it begins on."""

    line: int
    words: str
    is_name: bool = False


@dataclass(frozen=True)
class Finding:
    line: int
    problem: str


def findings(texts: Iterable[Text]) -> Iterator[Finding]:
    for text in texts:
        problems = _in_name(text.words) if text.is_name else _in_prose(text.words)
        for problem in problems:
            yield Finding(text.line, problem)


def texts_of(path: str, source: str) -> Iterator[Text]:
    """What the check reads in a file, by the ending of its name."""
    if path.endswith(".md"):
        yield from _markdown(source)
    elif path.endswith(".py"):
        yield from _python(source)
    else:
        yield from _javascript(source)


def _in_prose(words: str) -> Iterator[str]:
    words = " ".join(_CODE.sub("`", words).split())
    for match in _CLAUSE.finditer(words):
        if _is_headless(match):
            yield f'headless clause: "{match["word"]} {match["next"]} …"; name the component, the client or the person'
    for match in _WHO_AS_OBJECT.finditer(words):
        yield f'headless clause: "{match[0]} …"; name the component, the client or the person'
    for match in _RETIRED.finditer(words):
        yield f'retired word: "{match[0]}"; write {RETIRED_WORDS[match[0].lower()]}'


def _in_name(name: str) -> Iterator[str]:
    parts = name.lower().split("_")
    if parts[0] == "test":
        yield from _in_prose(" ".join(parts[1:]))
        return
    for part in parts:
        if part in RETIRED_IN_NAMES:
            yield f'retired word in the name "{name}": "{part}"; use {RETIRED_IN_NAMES[part]}'


def _is_headless(match: re.Match[str]) -> bool:
    if match["rest"].endswith("?"):
        return False
    follower = match["next"].lower()
    if match["start"] and match["start"].startswith(":") and match["word"][0].islower():
        return False  # a definition or a question as a noun: "presence: who is at a topic"
    if match["word"].lower() != "what":
        # After a comma or a conjunction "who" usually belongs to the person before it.
        return match["start"] is not None or match["word"].lower() == "whoever"
    if match["start"] is None and match[0].startswith(","):
        return False  # "says why, and what is wrong" is an object
    return bool(_AUXILIARY.fullmatch(follower) or (follower.endswith("s") and not _NOT_VERBS.fullmatch(follower)))


def _markdown(source: str) -> Iterator[Text]:
    """Paragraphs, cells of tables and items of lists. Code blocks are left out."""
    source = _CODE_BLOCK.sub(lambda block: "\n" * block[0].count("\n"), source)
    begin, paragraph = 1, ""
    for number, line in enumerate([*source.splitlines(), ""], 1):
        if paragraph and (not line.strip() or _NEW_BLOCK.match(line)):
            yield Text(begin, paragraph)
            paragraph = ""
        if line.startswith("|"):
            yield from (Text(number, cell.strip()) for cell in line.split("|"))
        elif line.strip():
            begin = begin if paragraph else number
            paragraph = f"{paragraph} {_MARKER.sub('', line)}".strip()


def _python(source: str) -> Iterator[Text]:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and (docstring := ast.get_docstring(node)):
            yield from _paragraphs(getattr(node, "lineno", 1), docstring)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Text(node.lineno, node.name, is_name=True)
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        yield from (Text(node.lineno, target.id, is_name=True) for target in targets if isinstance(target, ast.Name))
    lines = [
        (token.start[0], token.string.lstrip("#").strip(), token.start[1])
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    yield from _joined(lines)


def _javascript(source: str) -> Iterator[Text]:
    lines = []
    for match in _JS_COMMENT.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        column = match.start() - source.rfind("\n", 0, match.start())
        if match[0].startswith("//"):
            lines.append((line, match[0][2:].strip(), column))
        else:
            stripped = re.sub(r"^[ \t]*\*+/?[ \t]?", "", match[0].strip("/*"), flags=re.MULTILINE)
            yield from _paragraphs(line, stripped)
    yield from _joined(lines)
    for match in _JS_TEST.finditer(source):
        yield Text(source.count("\n", 0, match.start()) + 1, match[1])
    for match in _JS_FUNCTION.finditer(source):
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", next(filter(None, match.groups())))
        yield Text(source.count("\n", 0, match.start()) + 1, name, is_name=True)


def _paragraphs(line: int, text: str) -> Iterator[Text]:
    for paragraph in re.split(r"\n\s*\n", text):
        yield Text(line, paragraph)


def _joined(lines: Iterable[tuple[int, str, int]]) -> Iterator[Text]:
    """Comments in successive lines and the same column are one paragraph."""
    begin, last, column, words = 0, -1, -1, ""
    for line, text, start in lines:
        if line == last + 1 and start == column:
            words += f" {text}"
        else:
            if words:
                yield Text(begin, words)
            begin, words = line, text
        last, column = line, start
    if words:
        yield Text(begin, words)


def files() -> list[str]:
    listed = subprocess.run(
        ("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *CHECKED),
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return sorted(path for path in listed if not path.startswith(NOT_OURS) and (ROOT / path).exists())


def main(arguments: list[str]) -> int:
    paths = [path for path in files() if not arguments or path.startswith(tuple(arguments))]
    lines = [
        f"{path}:{finding.line}: {finding.problem}"
        for path in paths
        for finding in findings(texts_of(path, (ROOT / path).read_text()))
    ]
    for line in lines:
        print(line, file=sys.stderr)
    if lines:
        print('Language: see "How to write" in CONTRIBUTING.md.', file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
