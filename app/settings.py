"""The settings of an operator, from the environment and .env. They are read once, typed and frozen. An error names the
variable with the wrong value. docs/configuration.md explains every setting."""

from __future__ import annotations

import binascii
import os
import re
from base64 import b64decode
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.redis import urls

PACKAGE = Path(__file__).resolve().parent

# The directory of .env and var/: the checkout, or for an installed wheel the directory in which Parley is started.
ROOT = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").exists() else Path.cwd()
VAR = ROOT / "var"

# Inside the package in a wheel (pyproject.toml), beside it in a checkout.
MIGRATIONS = next(
    path for path in (PACKAGE / "migrations", PACKAGE.parent / "migrations") if (path / "env.py").exists()
)

DEVELOPMENT_KEY = "development only: anyone who reads this can sign cookies"
MIN_KEY_LENGTH = 32  # characters

# The defaults in docker-compose.yml, for development.
COMPOSE_PASSWORD = "parley"
COMPOSE_MAIL_CATCHER = ("mail", 1025)

# The first segments of Parley's own paths. `test_root_paths_are_none_of_our_own` compares them with the routes.
OWN_PATHS = frozenset(
    {"account", "api", "changes", "confirm", "dev", "docs", "embed", "embed.js", "feeds", "healthz", "inbox", "metrics",
     "moderation", "openapi.json", "readyz", "reset", "static", "streams", "unlock", "unsubscribe", "worker.js"}
)  # fmt: skip
ORIGIN = re.compile(r"https?://([a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
WEBHOOK_URL = re.compile(r"https?://[a-z0-9.\[\]:_-]+(/[^\s#]*)?", re.ASCII)
MAX_WEBHOOK_URL_LENGTH = 500
HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}

_DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}

# Types of topics that Parley itself uses (`app.live.topics`).
RESERVED_TYPES = frozenset({"Commentable", "Moderation", "User"})


def _words(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


Words = Annotated[frozenset[str], NoDecode, BeforeValidator(_words)]
WordList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]


def _local_url(values: dict[str, Any]) -> str:
    return f"http://{values.get('host')}:{values.get('port')}{values.get('root_path')}"


def names_in_env_file() -> set[str]:
    """All names in .env, settings of Parley or not."""
    return {name.upper() for name in dotenv_values(ROOT / ".env")}


def override(**values: object) -> None:
    """Set environment variables from command-line options, for this process and those that it starts."""
    os.environ.update({name.upper(): str(value) for name, value in values.items() if value is not None})


class ConfigurationError(SystemExit):
    """Settings are missing or wrong. It ends the process, with one line for each wrong variable."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True)

    environment: Literal["development", "production"] = "development"
    database_url: str = f"sqlite+aiosqlite:///{VAR / 'parley.db'}"
    redis_url: str = "embedded://"
    redis_channel_name: Annotated[str, Field(min_length=1, max_length=200)] = "comments"
    secret_key: str = DEVELOPMENT_KEY  # or several, separated by commas: the first signs, all verify
    commentable_types: Words = frozenset({"Article", "Page"})
    sweep_seconds: Annotated[float, Field(gt=0, le=300)] = 5
    heartbeat_seconds: Annotated[float, Field(gt=0, le=300)] = 15
    undo_seconds: Annotated[float, Field(ge=0, le=60)] = 10  # during which a person can undo the deletion of a comment
    ring_frames: Annotated[int, Field(ge=1)] = 256
    ring_bytes: Annotated[int, Field(ge=1)] = 262_144
    readers: Literal["streams", "collapsed"] = "streams"  # how pages of guests get changes
    presence: bool = True
    metrics: bool = True
    metrics_token: Annotated[str, Field(min_length=16, max_length=200)] | None = None  # Prometheus sends it
    log_format: Literal["text", "json"] = Field(
        default_factory=lambda values: "json" if values.get("environment") == "production" else "text"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    rate_limits: bool = True
    max_streams: Annotated[int, Field(ge=1)] = 20_000  # of one process
    max_streams_per_login: Annotated[int, Field(ge=1)] = 300
    max_streams_per_address: Annotated[int, Field(ge=1)] = 3_000
    max_topics: Annotated[int, Field(ge=1)] = 200_000  # of all streams of one process, counted per stream
    max_topics_per_login: Annotated[int, Field(ge=1)] = 10_000
    max_topics_per_address: Annotated[int, Field(ge=1)] = 30_000
    require_confirmation: bool = Field(default_factory=lambda values: values.get("environment") == "production")
    smtp_url: str | None = None  # None: development shows e-mails at /dev/mail, and production sends none
    mail_from: str = "Parley <parley@localhost>"
    reply_mail_delay_seconds: Annotated[float, Field(ge=0, le=86_400)] = 120  # in which a person may read the reply
    webhook_urls: WordList = ()  # receivers of changes
    webhook_secret: WordList = ()  # whsec_<base64>; each message has a signature with each of them
    webhook_allow_private: bool = False  # whether the receivers may be on a private network
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    forwarded_allow_ips: str = "127.0.0.1"  # for `parley serve`; uvicorn itself reads it from the environment
    # The prefix of every path that a browser sees, like "/talk". "" if Parley is at the root of its host.
    root_path: str = ""
    # The base of links in e-mails and Atom feeds. A request never sets it, because a client can send any Host header.
    public_url: str = Field(default_factory=_local_url)
    # Host names that Parley accepts besides that of PUBLIC_URL; "*" is any name.
    allowed_hosts: Words = frozenset()
    # Pages of these origins may show threads in iframes, and their scripts may call the API as the signed-in user.
    allowed_origins: Words = frozenset()

    @classmethod
    def load(cls) -> Self:
        """The settings of this process. Raises ConfigurationError, which names each wrong variable."""
        try:
            return cls()
        except ValidationError as error:
            raise ConfigurationError("\n".join(_error_lines(error))) from None

    @property
    def has_local_sender(self) -> bool:
        """Whether `MAIL_FROM` is at this machine or has no domain. Other servers refuse mail from such addresses."""
        domain = (_address_in(self.mail_from) or "").rpartition("@")[2].lower().rstrip(".")
        return "." not in domain or domain.startswith("[") or domain.endswith((".localhost", ".localdomain"))

    @property
    def sends_mail(self) -> bool:
        """Whether mail can be sent. Development shows it instead."""
        return self.smtp_url is not None or self.environment == "development"

    @property
    def secret_keys(self) -> list[str]:
        """The keys: the first signs, and all verify."""
        return [key.strip() for key in self.secret_key.split(",")]

    @property
    def webhook_keys(self) -> list[bytes]:
        return [parse_webhook_secret(text) for text in self.webhook_secret]

    @property
    def trusts_every_proxy(self) -> bool:
        """Whether Parley trusts the forwarded headers of every client that connects."""
        return self.forwarded_allow_ips.strip() == "*"

    @field_validator("database_url")
    @classmethod
    def _set_async_driver(cls, url: str) -> str:
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in _DRIVERS:
            raise ValueError("give a sqlite:// or a postgresql:// URL")
        return f"{_DRIVERS[scheme]}://{rest}"

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: str) -> str:
        urls.parse(url)
        return url

    @field_validator("commentable_types")
    @classmethod
    def _check_types(cls, names: frozenset[str]) -> frozenset[str]:
        for name in names:
            # A type is part of topics and paths. It is short enough for `Commentable/<type>/<id>`.
            if not re.fullmatch(r"[A-Z][A-Za-z0-9]{0,37}", name) or name in RESERVED_TYPES:
                reserved = " or ".join(sorted(RESERVED_TYPES))
                raise ValueError(
                    f"{name!r} is not a type: give one capitalised word of at most 38 letters, and not {reserved}"
                )
        return names

    @field_validator("smtp_url")
    @classmethod
    def _check_smtp_url(cls, url: str | None) -> str | None:
        try:
            parts = urlsplit(url or "smtp://localhost")
            valid = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0
        except ValueError:  # the port is not a number
            valid = False
        if not valid:
            raise ValueError("give smtp://user:password@host:587, or smtps:// for TLS from the first byte")
        return url

    @field_validator("mail_from")
    @classmethod
    def _check_mail_from(cls, sender: str) -> str:
        if not sender.isprintable() or _address_in(sender) is None:
            raise ValueError("give an address, like Parley <parley@example.com>")
        return sender

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, path: str) -> str:
        path = path.rstrip("/")
        # Small letters, because types have a capital. Not an own path, because some proxies remove the prefix.
        if path and not re.fullmatch(r"(/[a-z0-9][a-z0-9._~-]*)+", path):
            raise ValueError("give a path in small letters, like /talk")
        if path.split("/", 2)[1:2] and path.split("/", 2)[1] in OWN_PATHS:
            raise ValueError(f"{path!r} begins like one of Parley's own paths; give another one, like /talk")
        return path

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, origins: frozenset[str]) -> frozenset[str]:
        for origin in origins:
            # Exactly as browsers send it: no path, no wildcard, no default port.
            if not ORIGIN.fullmatch(origin) or origin.endswith(DEFAULT_PORTS[origin.partition(":")[0]]):
                raise ValueError(
                    f"{origin!r} is not an origin: give https://www.example.com, with a port if it is not the default"
                )
        return origins

    @field_validator("webhook_urls")
    @classmethod
    def _check_webhook_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if not WEBHOOK_URL.fullmatch(url) or len(url) > MAX_WEBHOOK_URL_LENGTH:
                # The message does not repeat the URL, because its path may be secret.
                most = f"at most {MAX_WEBHOOK_URL_LENGTH} characters"
                raise ValueError(f"give URLs like https://example.com/path, without a user or a fragment, of {most}")
        return tuple(dict.fromkeys(urls))

    @field_validator("webhook_secret")
    @classmethod
    def _check_webhook_secret(cls, secrets: tuple[str, ...]) -> tuple[str, ...]:
        for secret in secrets:
            parse_webhook_secret(secret)
        return secrets

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, names: frozenset[str]) -> frozenset[str]:
        for name in names:
            if name != "*" and not HOST_NAME.fullmatch(name.lower()):
                raise ValueError(f"{name!r} is not a host name: give talk.example.com, without a port, or *")
        return frozenset(map(str.lower, names))

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
            raise ValueError("give the address that people have in their browsers, like https://talk.example.com")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _require_webhook_secret(self) -> Self:
        if self.webhook_urls and not self.webhook_secret:
            raise ValueError("WEBHOOK_SECRET: required with WEBHOOK_URLS; receivers verify its signatures")
        return self

    @model_validator(mode="after")
    def _require_safe_production(self) -> Self:
        """Refuse in production what is for development only, such as the defaults of docker-compose.yml."""
        if self.environment != "production":
            return self
        if any(key == DEVELOPMENT_KEY or len(key) < MIN_KEY_LENGTH for key in self.secret_keys):
            raise ValueError(f"SECRET_KEY: required outside development, each at least {MIN_KEY_LENGTH} characters")
        database, mail = urlsplit(self.database_url), urlsplit(self.smtp_url or "")
        if (database.hostname, database.password) == ("postgres", COMPOSE_PASSWORD):
            raise ValueError("POSTGRES_PASSWORD: required outside development; the default is known to everybody")
        if (mail.hostname, mail.port) == COMPOSE_MAIL_CATCHER:
            raise ValueError("SMTP_URL: this is docker-compose.yml's mail catcher; give a mail server")
        if self.require_confirmation and not self.smtp_url:
            raise ValueError("SMTP_URL: required outside development, unless REQUIRE_CONFIRMATION=off")
        if self.smtp_url and "public_url" not in self.model_fields_set:
            raise ValueError("PUBLIC_URL: required with SMTP_URL outside development; links in mail lead there")
        if self.smtp_url and self.has_local_sender:
            raise ValueError(
                f"MAIL_FROM: {self.mail_from} is an address on this machine, which other mail servers refuse;"
                " give one of your own domain, like Parley <parley@example.com>"
            )
        return self


def parse_webhook_secret(text: str) -> bytes:
    """The key of a secret like `whsec_<base64>`, as Standard Webhooks defines it. Raises ValueError."""
    prefix, separator, encoded = text.partition("_")
    if (prefix, separator) != ("whsec", "_"):
        raise ValueError("give whsec_ and the base64 of a random key")
    try:
        key = b64decode(encoded, validate=True)
    except binascii.Error:
        raise ValueError("the part after whsec_ is not base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError("give a key of 24 to 64 bytes")
    return key


def _address_in(sender: str) -> str | None:
    """The address in a `From` header. None if the functions that send mail would read different addresses."""
    message = EmailMessage()
    try:
        message["From"] = sender
        (address,) = message["From"].addresses
    except Exception:  # the email package raises errors of many kinds for texts that it cannot read
        return None
    agreed = address.username and address.domain and address.addr_spec == parseaddr(sender)[1]
    return address.addr_spec if agreed and not message["From"].defects else None


def _error_lines(error: ValidationError) -> list[str]:
    lines = []
    for each in error.errors():
        if each["type"] == "default_factory_not_called":
            continue  # the setting that its default depends on has an error of its own
        name = "_".join(str(part) for part in each["loc"]).upper()
        message = each["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {message}" if name else message)
    return lines
