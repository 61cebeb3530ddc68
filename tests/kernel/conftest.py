"""The house in which the tests live, on the schema of the migrations."""

from tests.house import covid, house
from tests.kernel.migrated import (
    both_schemas,
    migrated_file,
    migrated_template,
    postgres_schema,
    sqlite_schema,
)

__all__ = [
    "both_schemas",
    "covid",
    "house",
    "migrated_file",
    "migrated_template",
    "postgres_schema",
    "sqlite_schema",
]
