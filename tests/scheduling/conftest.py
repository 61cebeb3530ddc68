"""The stage on which the tests of the schedule play, on the schema of the migrations."""

from tests.house import house
from tests.kernel.migrated import (
    both_schemas,
    migrated_file,
    migrated_template,
    postgres_schema,
    sqlite_schema,
)
from tests.kernel.migrated import sqlite_schema as house_database
from tests.scheduling.stage import full, other_group, round_of_tuesdays, stage

__all__ = [
    "both_schemas",
    "full",
    "house",
    "house_database",
    "migrated_file",
    "migrated_template",
    "other_group",
    "postgres_schema",
    "round_of_tuesdays",
    "sqlite_schema",
    "stage",
]
