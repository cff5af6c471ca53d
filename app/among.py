"""Among: a condition on many values, as one parameter. `IN` would need a prepared statement for each number of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Dialect, Text, TypeDecorator, Uuid, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine


def among(column: Any, name: str | None = None, values: Collection[Any] | None = None) -> ColumnElement[bool]:
    """Whether the column, of ids or texts, is one of the values of the parameter `name`, or of these values."""
    item = Uuid if isinstance(column.type, Uuid) else Text  # without the column's length, which would cut values
    return _Among(column, bindparam(name, values, type_=_Values(item)))


class _Values(TypeDecorator[Collection[Any]]):
    """An array on PostgreSQL, and JSON on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, item: type[TypeEngine[Any]]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(self.item) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        values = list(value or ())
        if dialect.name == "postgresql":
            return values
        return to_json([getattr(one, "hex", one) for one in values]).decode()


class _Among(FunctionElement[bool]):
    inherit_cache = True
    type = NullType()  # type: ignore[assignment]  # SQLAlchemy would compare a boolean with 1 on SQLite


@compiles(_Among)
def _compile(among: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(each, **options) for each in among.clauses)
    if compiler.dialect.name == "postgresql":
        return f"{column} = ANY ({values})"
    return f"{column} IN (SELECT value FROM json_each({values}))"
