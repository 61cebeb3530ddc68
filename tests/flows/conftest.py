"""The house in which the tests live, and the stage on which those of the schedule play."""

from tests.house import covid, house, house_database
from tests.kernel.migrated import (
    both_schemas,
    migrated_file,
    migrated_template,
    postgres_schema,
    sqlite_schema,
)
from tests.scheduling.stage import full, other_group, round_of_tuesdays, stage

__all__ = [
    "both_schemas",
    "covid",
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
