"""A search for texts that take long to render: short fragments of special characters, repeated to the longest comment.

    python -m tests.comments.slow_texts --seconds 60 [--seed 1]

Prints the seed and the slowest texts, and fails if one takes more than `LIMIT_MS` of CPU time at its best of five.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator

from app.comments import markdown
from app.comments.comments import MAX_BODY_LENGTH
from app.comments.markdown.mention_syntax import candidates

LIMIT_MS = 50.0
NAMES = ("bob", "bob a", "a b", "小明")
TOKENS = (
    "*", "**", "***", "_", "__", "~~", "~", "`", "``", "```", "[", "]", "(", ")", "](", "![", "<", ">", "\\", "\\*",
    "@", "＠", "@bob", "@a ", ":", "//", "://", "http://", "https://a.b", "http://-", "mailto:", "a@b.c", "<http://a>",
    "[](http://a)", "[a](http://b)", "-", "- ", "* ", "+ ", "1. ", "12. ", "> ", "\n", "\n\n", "  ", "    ", "\t", " ",
    "a", "b ", "1", "é", "谢", "。", "\u0301", "\u200b", "🦜", "|", "#", "&", "&amp;", "=", ".", "'", "’", '"', "{",
    "\n- ", "\n> ", "\n  - ", "\n```\n", "\n~~~\n", "\n1. ", "~~~", "---", "x" * 40,
)  # fmt: skip


def texts(seed: int) -> Iterator[str]:
    """Endless texts: up to six tokens, repeated, some with a run of another token before or after them."""
    chance = random.Random(seed)
    while True:
        fragment = "".join(chance.choices(TOKENS, k=chance.randint(1, 6)))
        start, end = ("".join(chance.choices(TOKENS, k=chance.randint(0, 2))) for _ in range(2))
        edge = chance.choice([0, 0, 1, 1_000])
        text = start * edge + fragment * (MAX_BODY_LENGTH // len(fragment)) + end * edge
        yield text[:MAX_BODY_LENGTH] if chance.random() < 0.5 else text[-MAX_BODY_LENGTH:]


def milliseconds(text: str, limit: float = LIMIT_MS, tries: int = 5) -> float:
    """The CPU time of rendering `text` and finding names in it: the best of `tries`, or the first below the limit."""
    best = float("inf")
    for _ in range(tries):
        start = time.thread_time()
        candidates(text)
        markdown.is_heavy(text)
        markdown._render.__wrapped__(text, NAMES)
        markdown.plain_html(text)
        best = min(best, (time.thread_time() - start) * 1_000)
        if best <= limit:
            break
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    end, tried, slowest = time.monotonic() + options.seconds, 0, (0.0, "")
    for text in texts(options.seed):
        slowest = max(slowest, (milliseconds(text), text))
        tried += 1
        if slowest[0] > LIMIT_MS or time.monotonic() > end:
            break
    print(f"{tried} texts; the slowest takes {slowest[0]:.1f} ms: {slowest[1][:60]!r}…")
    return int(slowest[0] > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
