"""Checks the settings: each is valid, and an instance that others can reach is secure."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from urllib.parse import urlsplit

from app.doctor.finding import Finding, ok, warning, wrong
from app.settings import DEVELOPMENT_KEY, ROOT, ConfigurationError, Settings, names_in_env_file

SUBJECT = "configuration"
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")
MIN_DISTINCT_CHARACTERS = 12  # of a secret key
MAKE_A_KEY = "python -c 'import secrets; print(secrets.token_urlsafe(48))' makes one."


def load() -> tuple[Settings | None, list[Finding]]:
    """(the settings, or None if they are invalid; the findings)."""
    try:
        settings = Settings.load()
    except ConfigurationError as error:
        advice = f"Set it in the environment or in {ROOT / '.env'}; .env.example has every setting."
        return None, [wrong(SUBJECT, line, advice) for line in str(error).splitlines()]
    return settings, [*_examine(settings), *misspelt(names_in_env_file())]


def _examine(settings: Settings) -> Iterator[Finding]:
    yield ok(SUBJECT, f"{settings.environment}, from the environment and {ROOT / '.env'}")
    host = urlsplit(settings.public_url).hostname
    if settings.environment == "development" and host not in LOCAL_HOSTS:
        yield wrong(
            SUBJECT, f"development mode at a public address ({host}): anybody can read all emails at /dev/mail.",
            "ENVIRONMENT=production",
        )  # fmt: skip
    yield _key(settings, host in LOCAL_HOSTS)
    if settings.trusts_every_proxy:
        yield warning(
            SUBJECT, "FORWARDED_ALLOW_IPS=* lets anybody choose the address they appear to come from.",
            "Name the proxy's addresses or networks; * is for a unix socket that only the proxy can open.",
        )  # fmt: skip


def _key(settings: Settings, is_local: bool) -> Finding:
    keys = settings.secret_keys
    if DEVELOPMENT_KEY in keys and is_local:
        return ok("secret key", "the development key, which everybody knows")
    if DEVELOPMENT_KEY in keys:
        return wrong("secret key", "the development key, which everybody knows.", f"Set SECRET_KEY. {MAKE_A_KEY}")
    if any(len(set(key)) < MIN_DISTINCT_CHARACTERS for key in keys):
        return warning("secret key", "a repeated pattern is easy to guess.", f"Change it. {MAKE_A_KEY}")
    return ok("secret key", f"set, {len(keys[0])} characters; {len(keys)} in use")


def misspelt(names: set[str]) -> Iterator[Finding]:
    known = {name.upper() for name in Settings.model_fields}
    for name in sorted(names - known):
        if meant := get_close_matches(name, known, 1, 0.85):
            yield warning(SUBJECT, f"{name} in .env is not a setting.", f"Did you mean {meant[0]}?")
