from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from app.settings import DEVELOPMENT_KEY, ROOT, ConfigurationError, Settings

KEY = "a key that is long enough for production"
PRODUCTION = {"ENVIRONMENT": "production", "SECRET_KEY": KEY}
MAIL = {
    "SMTP_URL": "smtp://mail.example.com", "PUBLIC_URL": "https://talk.example.com", "MAIL_FROM": "parley@example.com",
}  # fmt: skip

# In .env.example for docker-compose.yml.
OF_OTHERS = {"COMPOSE_FILE", "POSTGRES_PASSWORD", "SITE", "HTTP_LISTEN", "HTTPS_LISTEN"}


@pytest.fixture(autouse=True)
def no_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer may have an .env file."""
    monkeypatch.setitem(Settings.model_config, "env_file", None)


def load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def settings(**environment: str) -> Settings:
    return Settings(_env_file=None, **environment)  # type: ignore[call-arg,arg-type]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("sqlite:///var/x.db", "sqlite+aiosqlite:///var/x.db"),
    ],
)
def test_database_urls_get_our_drivers(given: str, used: str) -> None:
    assert settings(database_url=given).database_url == used


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x"), ("DATABASE_URL", "nonsense"), ("REDIS_URL", "http://x"), ("REDIS_URL", "redis+sentinel://one,two"),
        ("REDIS_URL", "rediss://x?ssl_ca_certs=/nowhere"), ("PORT", "99999"),
        ("REDIS_CHANNEL_NAME", "x" * 201), ("ENVIRONMENT", "staging"), ("SWEEP_SECONDS", "0"),
        ("HEARTBEAT_SECONDS", "x"),
        ("COMMENTABLE_TYPES", "Article,User"), ("COMMENTABLE_TYPES", "article"), ("RING_FRAMES", "0"),
        ("REQUIRE_CONFIRMATION", "perhaps"), ("RATE_LIMITS", "sometimes"),
        ("METRICS", "some"), ("METRICS_TOKEN", "short"), ("LOG_FORMAT", "xml"), ("LOG_LEVEL", "loud"),
        ("WEBHOOK_URLS", "example.com"), ("WEBHOOK_URLS", "https://user:password@example.com/hook"),
        ("WEBHOOK_URLS", "https://example.com/#hook"), ("WEBHOOK_URLS", "https://example.com/" + "x" * 500),
        ("WEBHOOK_SECRET", "secret"), ("WEBHOOK_SECRET", "whsec_c2hvcnQ="), ("WEBHOOK_ALLOW_PRIVATE", "perhaps"),
        ("SMTP_URL", "mail.example.com"), ("SMTP_URL", "http://mail.example.com"), ("SMTP_URL", "smtp://"),
        ("SMTP_URL", "smtp://mail.example.com:submission"), ("SMTP_URL", "smtp://mail.example.com:0"),
        ("MAIL_FROM", "Parley"), ("MAIL_FROM", "parley@example.com\nBcc: everyone@example.com"), ("MAIL_FROM", "<>"),
        ("MAIL_FROM", "=?utf-8?q?boss?=@example.com"), ("MAIL_FROM", "one@example.com, two@example.com"),
        ("PUBLIC_URL", "talk.example.com"), ("PUBLIC_URL", "ftp://talk.example.com"), ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://talk.example.com/?page"), ("PUBLIC_URL", "https://talk.example.com/#page"),
        ("ROOT_PATH", "talk"), ("ROOT_PATH", "/Article"), ("ROOT_PATH", "/talk//here"), ("ROOT_PATH", "/a b"),
        ("ROOT_PATH", "/../talk"), ("ROOT_PATH", '/"talk'), ("ROOT_PATH", "/api"), ("ROOT_PATH", "/embed/here"),
        ("ALLOWED_ORIGINS", "www.example.com"), ("ALLOWED_ORIGINS", "*"), ("ALLOWED_ORIGINS", "https://*.example.com"),
        ("ALLOWED_ORIGINS", "https://www.example.com/"), ("ALLOWED_ORIGINS", "https://www.example.com:443"),
        ("ALLOWED_ORIGINS", "https://WWW.example.com"), ("ALLOWED_ORIGINS", "null"), ("ALLOWED_ORIGINS", "ftp://a.example"),
        ("ALLOWED_ORIGINS", "https://a.example; script-src *"), ("ALLOWED_ORIGINS", "https://me@www.example.com"),
        ("ALLOWED_HOSTS", "https://talk.example.com"), ("ALLOWED_HOSTS", "talk.example.com:443"),
        ("ALLOWED_HOSTS", "*.a.com"),
        ("PUBLIC_URL", "https://somebody@talk.example.com"), ("PUBLIC_URL", "https://talk .example.com"),
    ],
)  # fmt: skip
def test_the_error_of_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        Settings.load()


@pytest.mark.parametrize("key", [None, DEVELOPMENT_KEY, "short", "x" * 32 + ",", "x" * 32 + "," + DEVELOPMENT_KEY])
def test_production_demands_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    if key:
        monkeypatch.setenv("SECRET_KEY", key)
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        Settings.load()


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "")
    assert Settings.load().secret_key == DEVELOPMENT_KEY


def test_types_are_parsed_as_a_list() -> None:
    assert settings(commentable_types="Article, Recipe").commentable_types == {"Article", "Recipe"}


def test_a_prefix_is_in_links_unless_they_lead_elsewhere() -> None:
    assert settings(root_path="/talk/").root_path == "/talk"
    assert settings(root_path="/talk").public_url == "http://127.0.0.1:8000/talk"
    assert settings(root_path="/").public_url == "http://127.0.0.1:8000"
    assert settings(root_path="/talk", public_url="https://example.com/t").public_url == "https://example.com/t"


def test_origins_are_parsed_as_a_list() -> None:
    listed = "https://www.example.com, http://localhost:3000,http://[::1]:8080"
    assert settings(allowed_origins=listed).allowed_origins == set(listed.replace(",", " ").split())


def test_settings_are_immutable() -> None:
    with pytest.raises(ValidationError):
        settings().port = 1


def test_no_error_repeats_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2 is my password"
    environment = {"SMTP_URL": f"http://parley:{secret}@mail.example.com", "SECRET_KEY": secret}
    with pytest.raises(ConfigurationError) as complaint:
        load(monkeypatch, **environment, ENVIRONMENT="production", DATABASE_URL=f"mysql://parley:{secret}@host/db")
    assert "SMTP_URL" in str(complaint.value)
    assert "DATABASE_URL" in str(complaint.value)
    assert secret not in str(complaint.value)


# -- mail ---------------------------------------------------------------------------------------------------


def test_development_needs_no_mail_server_and_no_confirmed_addresses() -> None:
    relaxed = settings()
    assert (relaxed.smtp_url, relaxed.require_confirmation, relaxed.rate_limits) == (None, False, True)
    assert relaxed.mail_from == "Parley <parley@localhost>"


def test_links_lead_to_the_served_address_by_default() -> None:
    assert settings(host="0.0.0.0", port="8080").public_url == "http://0.0.0.0:8080"
    assert settings(public_url="https://talk.example.com/").public_url == "https://talk.example.com"
    assert settings(public_url="https://example.com/talk/").public_url == "https://example.com/talk"
    assert settings(public_url="http://[::1]:8000").public_url == "http://[::1]:8000"


@pytest.mark.parametrize(
    "url",
    ["smtp://mail.example.com", "smtp://parley%40example.com:pass%20word@mail.example.com:587", "smtps://mail.example.com",
     "smtp://[::1]:25"],
)  # fmt: skip
def test_usual_urls_of_mail_servers_are_accepted(url: str) -> None:
    assert settings(smtp_url=url).smtp_url == url


@pytest.mark.parametrize(
    ("environment", "word", "confirms"),
    [
        ("production", None, True),
        ("development", None, False),
        ("production", "off", False),
        ("development", "on", True),
    ],
)
def test_production_demands_confirmed_addresses_by_default(
    monkeypatch: pytest.MonkeyPatch, environment: str, word: str | None, confirms: bool
) -> None:
    said = {} if word is None else {"REQUIRE_CONFIRMATION": word}
    found = load(monkeypatch, **{**PRODUCTION, **MAIL, **said, "ENVIRONMENT": environment})
    assert found.require_confirmation is confirms


@pytest.mark.parametrize(
    ("environment", "word", "form"),
    [("production", None, "json"), ("development", None, "text"), ("production", "text", "text")],
)
def test_logs_are_json_in_production(
    monkeypatch: pytest.MonkeyPatch, environment: str, word: str | None, form: str
) -> None:
    said = {} if word is None else {"LOG_FORMAT": word}
    assert load(monkeypatch, **{**PRODUCTION, **MAIL, **said, "ENVIRONMENT": environment}).log_format == form


def test_confirmed_addresses_need_a_mail_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"^SMTP_URL: .*REQUIRE_CONFIRMATION=off"):
        load(monkeypatch, **PRODUCTION)
    assert load(monkeypatch, REQUIRE_CONFIRMATION="off").smtp_url is None


def test_a_mail_server_needs_a_public_url(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"^PUBLIC_URL: "):
        load(monkeypatch, **PRODUCTION, SMTP_URL=MAIL["SMTP_URL"])
    with pytest.raises(ConfigurationError, match=r"^PUBLIC_URL: "):
        load(monkeypatch, REQUIRE_CONFIRMATION="off")
    assert (
        load(monkeypatch, PUBLIC_URL=MAIL["PUBLIC_URL"], MAIL_FROM=MAIL["MAIL_FROM"]).public_url == MAIL["PUBLIC_URL"]
    )


@pytest.mark.parametrize(
    "sender",
    [None, "parley@localhost", "Parley <parley@LOCALHOST>", "parley@mail.localhost", "parley@localhost.localdomain",
     "parley@[127.0.0.1]", "parley@talk"],
)  # fmt: skip
def test_a_sender_at_localhost_is_refused_in_production(monkeypatch: pytest.MonkeyPatch, sender: str | None) -> None:
    said = {**PRODUCTION, **MAIL, "MAIL_FROM": sender or ""}
    with pytest.raises(ConfigurationError, match=r"^MAIL_FROM: .* your own domain"):
        load(monkeypatch, **said)
    assert load(monkeypatch, ENVIRONMENT="development").mail_from == (sender or "Parley <parley@localhost>")


def test_without_a_mail_server_no_sender_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, **PRODUCTION, REQUIRE_CONFIRMATION="off").mail_from == "Parley <parley@localhost>"


@pytest.mark.parametrize(
    ("name", "value", "missing"),
    [
        ("DATABASE_URL", "postgresql+asyncpg://parley:parley@postgres:5432/parley", "POSTGRES_PASSWORD"),
        ("SMTP_URL", "smtp://mail:1025", "SMTP_URL"),
    ],
)
def test_production_refuses_the_defaults_of_compose(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, missing: str
) -> None:
    """In development, `docker compose up` runs with these defaults."""
    assert getattr(load(monkeypatch, **{name: value}), name.lower()) == value
    with pytest.raises(ConfigurationError, match=f"^{missing}: "):
        load(monkeypatch, **{**PRODUCTION, **MAIL, name: value})


def test_host_names_are_parsed_as_a_list() -> None:
    assert settings(allowed_hosts="Talk.example.com, other,*").allowed_hosts == {"talk.example.com", "other", "*"}


@pytest.mark.parametrize(
    ("word", "limits"), [("off", False), ("false", False), ("0", False), ("on", True), ("1", True)]
)
def test_limits_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, word: str, limits: bool) -> None:
    assert load(monkeypatch, RATE_LIMITS=word).rate_limits is limits


# -- the example --------------------------------------------------------------------------------------------


def test_the_example_names_every_setting_and_no_other() -> None:
    named = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) - OF_OTHERS == {name.upper() for name in Settings.model_fields}
    assert set(named) > OF_OTHERS


def test_webhooks_need_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = "https://one.example/hook, https://two.example:8443/hook?x=1 https://one.example/hook"
    with pytest.raises(ConfigurationError, match=r"^WEBHOOK_SECRET: required"):
        load(monkeypatch, WEBHOOK_URLS=urls)
    loaded = load(monkeypatch, WEBHOOK_SECRET="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert loaded.webhook_urls == ("https://one.example/hook", "https://two.example:8443/hook?x=1")
    assert [len(key) for key in loaded.webhook_keys] == [24]
    assert not loaded.webhook_allow_private


def test_the_example_has_the_default_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unchanged copy of the example changes no setting."""
    monkeypatch.setitem(Settings.model_config, "env_file", ROOT / ".env.example")
    copied = Settings.load()
    assert copied == settings()
