"""The image and the compose file, checked without a container engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import ROOT, Settings

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
# It says itself where its parts are, and the image whom it believes.
OF_THE_STACK = {"DATABASE_URL", "REDIS_URL", "HOST", "PORT", "FORWARDED_ALLOW_IPS"}


def test_copied_files_exist_and_are_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [
        name for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]
    ]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert any(f"!{place}" in ignored for place in (name, *map(str, Path(name).parents))), name


def test_every_image_has_a_fixed_version() -> None:
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.MULTILINE))
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) + re.findall(
        r"image: (\S+:\S+)$", COMPOSE, re.MULTILINE
    )
    assert len(images) >= 7
    for image in images:
        named = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], image)
        assert re.search(r":v?\d+\.\d+", named), f"{named} is another one tomorrow"


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "SMTP_URL", "SECRET_KEY", "MAIL_FROM", "PUBLIC_URL"])
def test_the_stack_has_no_default_secrets_in_production(name: str) -> None:
    """Compose stops and names the missing setting."""
    production = (ROOT / "docker-compose.production.yml").read_text()
    assert set(re.findall(rf"\$\{{{name}(..)", production)) == {":?"}
    # Without that file, the service `settings` refuses the defaults before there is a database.
    assert re.search(r"  postgres:\n    image: .*\n    depends_on:\n      settings:\n", COMPOSE)
    settings = Settings.model_validate(
        {"database_url": _default_of("DATABASE_URL"), "smtp_url": _default_of("SMTP_URL")}
    )
    with pytest.raises(ValidationError, match="POSTGRES_PASSWORD"):
        Settings(_env_file=None, environment="production", secret_key="x" * 32, database_url=settings.database_url)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="SMTP_URL"):
        Settings(_env_file=None, environment="production", secret_key="x" * 32, smtp_url=settings.smtp_url)  # type: ignore[call-arg]


def _default_of(name: str) -> str:
    """The value that the app gets without an .env file."""
    (found,) = re.findall(rf"^    {name}: (.+)$", COMPOSE, re.MULTILINE)
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", found)


def test_the_stack_passes_on_every_setting() -> None:
    passed = set(re.findall(r"^    ([A-Z_]+): \S", COMPOSE, re.MULTILINE))
    assert {name.upper() for name in Settings.model_fields} - OF_THE_STACK <= passed
    explained = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(re.findall(r"\$\{([A-Z_]+)", COMPOSE)) <= set(explained)


@pytest.mark.parametrize("name", ["Dockerfile", "docker-compose.yml", "docker-compose.production.yml"])
def test_every_mount_that_the_stack_uses_exists(name: str) -> None:
    for place in re.findall(r"- (\./\S+?):", (ROOT / name).read_text()):
        assert Path(ROOT, place).exists(), place


def test_every_installed_package_has_hashes_and_the_tested_version() -> None:
    """`make lock` makes requirements/ from constraints.txt."""
    pinned = {line.lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().splitlines()[1:]}
    locked: dict[str, int] = {}
    elsewhere = set()  # packages for other platforms or older Pythons than those of constraints.txt
    for name in ("base", "dev", "bench", "node"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        for block in re.split(r"^(?=[A-Za-z])", text, flags=re.MULTILINE)[1:]:
            package = block.split()[0].lower().replace("_", "-")
            locked[package] = block.count("--hash=sha256:")
            if ";" in block:
                elsewhere.add(package)
        assert "://" not in text, "no address of an index"
    assert all(locked.values())
    assert pinned <= set(locked)
    assert set(locked) - pinned <= elsewhere
