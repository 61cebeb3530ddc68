"""Schema migrations: Alembic, inside the package, without a configuration file of its own.

Alembic is imported where something is migrated or compared: a service that starts only asks which revision it finds.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text

from conference_orchestrator.kernel.database import Model, prepare

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0013"

# Every module that defines tables: comparing needs all of them, whoever asks.
TABLES = (
    "kernel.audit",
    "kernel.bookkeeping",
    "network.contact_messages",
    "network.notice_files",
    "network.notices",
    "network.registrations",
    "network.expert_groups",
    "network.tokens",
    "network.erased_addresses",
    "network.feeds",
    "scheduling.exceptions",
    "scheduling.requests",
    "scheduling.rosters",
    "scheduling.replans",
    "scheduling.conferences",
    "scheduling.host_pool",
    "scheduling.attendances",
    "scheduling.provider_findings",
    "scheduling.provider_states",
    "scheduling.webinar_registrations",
    "ledger.inbound",
    "ledger.invitations",
    "ledger.messages",
    "ledger.reminders",
    "ledger.series_calendars",
    "ledger.suppressions",
    "jobs.embedded",
    "jobs.timetable",
)


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema of the database to the revision; a folder for an SQLite file is made."""
    from alembic import command  # noqa: PLC0415  - see above

    database = make_url(url).database
    if url.startswith("sqlite") and database:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    with _configured(url) as config:
        command.upgrade(config, revision)


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to an earlier revision, `base` being the empty database. LookupError when it is none."""
    from alembic import command  # noqa: PLC0415  - see above
    from alembic.util import CommandError  # noqa: PLC0415  - see above

    with _configured(url) as config:
        try:
            command.downgrade(config, revision)
        except CommandError as error:
            raise LookupError(str(error)) from error


def differences(url: str) -> list[Any]:
    """What the database's tables lack or have too much, compared with the models; empty when they are equal."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415  - see above
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  - see above

    with _connected(url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata()))


def is_current(engine: Engine) -> bool:
    """Whether the database has the schema that this code was written for."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return connection.scalars(text("SELECT version_num FROM alembic_version")).all() == [HEAD]


def metadata() -> Any:
    """The tables of all models."""
    for name in TABLES:
        importlib.import_module(f"conference_orchestrator.{name}")
    return Model.metadata


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url)
    prepare(engine)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _configured(url: str) -> Iterator[Config]:
    from alembic.config import Config  # noqa: PLC0415  - see above

    with _connected(url) as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.attributes["connection"] = connection
        yield config
        connection.commit()
