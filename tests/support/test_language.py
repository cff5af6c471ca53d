"""The language check finds text that CONTRIBUTING.md rules out, and accepts correct English."""

from __future__ import annotations

import pytest

from tests.support.language import findings, texts_of


def problems(path: str, source: str) -> list[tuple[int, str]]:
    return [(finding.line, finding.problem.split(";")[0]) for finding in findings(texts_of(path, source))]


@pytest.mark.parametrize(
    "sentence",
    [
        "Who waits is woken.",
        "What cannot be resumed is sent again.",
        "The feed wakes them; who lags comes later.",
        "It goes to whoever is there: whoever asks gets it.",
        "It stays because what is deleted has no text.",
        "A page for who reviews it.",
    ],
)
def test_headless_clauses_are_found(sentence: str) -> None:
    assert "headless clause" in str(problems("page.md", f"{sentence}\n"))


@pytest.mark.parametrize(
    "sentence",
    [
        "Bob, who waits, is woken.",
        "Who may read this?",
        "What the server sends is JSON.",
        "The response says what is wrong, and what is missing.",
        "A `presence` event: who is at a topic.",
        "The feed wakes its sessions.",
    ],
)
def test_correct_sentences_pass(sentence: str) -> None:
    assert problems("page.md", f"{sentence}\n") == []


def test_retired_words_are_found_in_comments_and_docstrings_but_not_in_code() -> None:
    source = '"""The postman sends mail."""\n\ntext = "postman"  # its patience, not `patience`\n'
    assert problems("module.py", source) == [(1, 'retired word: "postman"'), (3, 'retired word: "patience"')]


def test_names_of_functions_and_constants_are_checked() -> None:
    source = "PATIENCE = 5\n\n\ndef tell_all() -> None:\n    told = 1\n\n\ndef test_who_waits_is_woken() -> None: ...\n"
    assert [line for line, _ in problems("module.py", source)] == [4, 8, 1]


def test_scripts_are_checked_like_python() -> None:
    source = '// Who lags\n// comes later.\nfunction tellAll() {}\ntest("what is late is dropped", f);\n'
    assert sorted(line for line, _ in problems("module.js", source)) == [1, 3, 4]


def test_markdown_sentences_may_span_lines_and_code_blocks_are_not_checked() -> None:
    source = "A thing\n\n```\nWho waits is woken.\n```\n\n| a | What is late is dropped |\n\nFirst.\nWho lags comes.\n"
    assert [line for line, _ in problems("page.md", source)] == [7, 9]
