"""Migrations that were broken off are run again, whatever of them was done already.

Most migrations are one transaction. One that builds an index beside those who write cannot be: what it has done stays
when it is broken off, and Django begins it anew. So each of its steps is done whole or not at all, and only where it
has not been done before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.models import Field, Index, Model

_COLUMN_STANDS = """
SELECT EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(%s)) AND attname = %s AND NOT attisdropped
)
"""
_TABLE_STANDS = "SELECT to_regclass(quote_ident(%s)) IS NOT NULL"
# PostgreSQL keeps an index whose building was broken off, and uses it for nothing.
_IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident(%s))"


class SchemaEditor(DatabaseSchemaEditor):
    """Django's, but for the steps of migrations that are not atomic."""

    def create_model(self, model: type[Model]) -> None:
        if not self._is_done(_TABLE_STANDS, model._meta.db_table):
            with self._whole():
                super().create_model(model)

    def add_field(self, model: type[Model], field: "Field[Any, Any]") -> None:
        if not self._is_done(_COLUMN_STANDS, model._meta.db_table, field.column):
            with self._whole():
                super().add_field(model, field)

    def add_index(self, model: type[Model], index: Index, concurrently: bool = False) -> None:
        if concurrently and self._is_repeatable:
            valid = self._is_true(_IS_VALID, index.name)
            if valid:
                return
            if valid is not None:
                self.execute(f"DROP INDEX CONCURRENTLY {self.quote_name(index.name)}")
        super().add_index(model, index, concurrently=concurrently)

    @property
    def _is_repeatable(self) -> bool:
        return not self.atomic_migration and not self.collect_sql

    def _is_done(self, query: str, *names: str | None) -> bool:
        return self._is_repeatable and bool(self._is_true(query, *names))

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """The step in the block is done whole, with what follows it (constraints, indexes), or not at all: at the end
        of the migration that could be lost.
        """
        if not self._is_repeatable:
            yield
            return
        with transaction.atomic(using=self.connection.alias):
            yield
            deferred, self.deferred_sql = self.deferred_sql, []
            for sql in deferred:
                self.execute(sql, None)

    def _is_true(self, query: str, *names: str | None) -> bool | None:
        """The answer of a query; None where it has no row."""
        with self.connection.cursor() as cursor:
            cursor.execute(query, names)
            row = cursor.fetchone()
        return None if row is None else bool(row[0])
