"""P3: a weekly series on two days, 52 sessions of two slots within the horizon, conflict-checked and committed.

The limit inserts the same rows with one statement for each table and commits; its statements and values are ready-made.

The goal is in milliseconds, and processors differ, one even from hour to hour. So the same figures are given in reads
too: how many rows a bare Flask and SQLAlchemy application (`benchmarks/bare.py`), one process, reads for callers over
HTTP meanwhile. Where the goal was set such a one read 1,000 rows a second on SQLite and 700 on PostgreSQL.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from datetime import time as wall_time
from http import HTTPStatus
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any, Self
from uuid import UUID

from flask import Flask
from psycopg.types.json import Json
from sqlalchemy import ColumnElement, Connection, Engine, Table, select, type_coerce
from sqlalchemy.types import NullType

from benchmarks.gate import ask_at_once, get, post
from benchmarks.report import ROUNDS, Goal, Measured, WrongOutcome, end_in_order, table
from conference_orchestrator import migrations
from conference_orchestrator.flows import directory
from conference_orchestrator.flows.arranging import define_series
from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.database import WRITES, Model, db
from conference_orchestrator.kernel.inserting import new_ids
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session, Slot
from tests import postgres
from tests.journeys.service import Service, database_of

SESSIONS, SLOTS = 52, 2
DEFINITIONS = 10
WARMING = 3
READS = 150
MOST_MS = {"SQLite": 8, "PostgreSQL": 12}
READS_PER_MS = {"SQLite": 1.0, "PostgreSQL": 0.7}
HELPDESK = Principal(role=Role.HELPDESK)
ZONE = "Europe/Berlin"


@dataclass(frozen=True)
class Insert:
    """A ready-made statement that inserts all rows of a table, with its values, the rows' identifiers among them."""

    statement: str
    values: tuple[Any, ...]
    identifiers: tuple[Any, ...]

    @classmethod
    def of(cls, filled: Table, rows: Sequence[Sequence[Any]], *, sign: str) -> Self:
        """For the rows as the driver gave them; `sign` is the driver's place-holder."""
        columns = ", ".join(column.name for column in filled.columns)
        places = ", ".join([f"({', '.join([sign] * len(filled.columns))})"] * len(rows))
        values = tuple(Json(v) if isinstance(v, list | dict) else v for row in rows for v in row)
        place = list(filled.columns).index(filled.columns["id"])
        statement = f"INSERT INTO {filled.name} ({columns}) VALUES {places}"  # noqa: S608  - names of ours
        return cls(statement, values, tuple(row[place] for row in rows))

    def renamed(self, new: dict[Any, Any]) -> tuple[Any, ...]:
        """The values with new identifiers in place of the old ones."""
        return tuple(new.get(v, v) if isinstance(v, str | UUID) else v for v in self.values)


def measure(server_url: str, *, definitions: int = DEFINITIONS, rounds: int = ROUNDS) -> list[Measured]:
    """On SQLite and on PostgreSQL; each figure is the median of so many definitions, in milliseconds and in reads."""
    return [one for name in MOST_MS for one in measured(name, server_url, definitions=definitions, rounds=rounds)]


def measured(name: str, server_url: str, *, definitions: int, rounds: int) -> list[Measured]:
    """Ours, the limit and the reads in turn, after a few definitions that warm the process."""
    ours: list[float] = []
    limit: list[float] = []
    per_ms: list[float] = []
    with application(name, server_url) as app, reads_per_ms(name, server_url) as read:
        groups = new_groups(WARMING + definitions * rounds)
        for _ in range(WARMING):
            defined = define_round(app, *next(groups))
        inserts = written(db.engine, defined)
        for _ in range(rounds):
            ours.append(median(_timed(lambda: define_round(app, *next(groups))) for _ in range(definitions)))
            limit.append(median(insert_anew(db.engine, inserts) for _ in range(definitions)))
            per_ms.append(read())
    work = f"define {SESSIONS} sessions x {SLOTS} slots, {name}"
    reads = Measured(
        row="P3",
        work=f"{work}, in reads of a row",
        unit="reads",
        ours=[ms * rate for ms, rate in zip(ours, per_ms, strict=True)],
        limit=[ms * rate for ms, rate in zip(limit, per_ms, strict=True)],
        goal=Goal(ours_at_most=MOST_MS[name] * READS_PER_MS[name]),
    )
    goal = Goal(ours_at_most=MOST_MS[name])
    return [Measured(row="P3", work=work, unit="ms", ours=ours, limit=limit, goal=goal), reads]


@contextmanager
def reads_per_ms(name: str, server_url: str) -> Iterator[Callable[[], float]]:
    """What measures how many reads of one row the bare application answers, one process on a database of that kind."""
    with ExitStack() as running:
        folder, url = _new_database(running, name, server_url)
        bare = Service(folder, {"CO_DATABASE_URL": url})
        running.callback(bare.stop)
        bare.start("--processes", "1", "--one-at-a-time", program=[sys.executable, "-m", "benchmarks.bare"])
        (inserted,) = ask_at_once(bare.port, [post("/places", port=bare.port)]).answers
        asking = [get(f"/places/{json.loads(inserted.body)['id']}", port=bare.port)] * READS

        def read() -> float:
            asked = ask_at_once(bare.port, asking)
            if any(answer.status != HTTPStatus.OK for answer in asked.answers):
                raise WrongOutcome("Each read of the row is to be answered.")
            return asked.per_second / 1000

        read()
        yield read


@contextmanager
def application(name: str, server_url: str) -> Iterator[Flask]:
    """The flows at work on a new database of that kind: SQLite, or PostgreSQL on the server."""
    with ExitStack() as running:
        folder, url = _new_database(running, name, server_url)
        migrations.upgrade(url)
        yield running.enter_context(database_of(url, var=folder))


def _new_database(running: ExitStack, name: str, server_url: str) -> tuple[Path, str]:
    """A folder and the address of an empty database of that kind, both until `running` ends."""
    folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
    if name == "SQLite":
        return folder, f"sqlite:///{folder / 'conference.db'}"
    return folder, running.enter_context(postgres.database(server_url))


def new_groups(number: int) -> Iterator[tuple[UUID, wall_time]]:
    """So many expert groups without a series, each with an hour of its own: nothing is known from the one before."""
    directory.add_network({"code": "n", "name": "A network"}, by=HELPDESK)
    entries = [{"network": "n", "code": f"g{count}", "name": f"Group {count}"} for count in range(number)]
    made = [
        directory.add_group(entry | {"time_zone": ZONE, "intake": "pre-selection"}, by=HELPDESK) for entry in entries
    ]
    hours = cycle(wall_time(7 + step // 12, step % 12 * 5) for step in range(12 * 12))
    return zip([group.id for group in made], hours, strict=False)


def define_round(app: Flask, group_id: UUID, at: wall_time) -> UUID:
    """Give the group its round, as one request to the API does; the id of the series."""
    with app.app_context():
        return define_series(group_id, round_from(times.SystemClock().now().date(), at), by=HELPDESK).id


def round_from(today: date, at: wall_time) -> dict[str, Any]:
    """Every Tuesday and Friday from tomorrow on: 26 weeks have 52 such days, whatever today is."""
    return {
        "rule": "FREQ=WEEKLY;BYDAY=TU,FR",
        "starts_on": today + timedelta(days=1),
        "ends_on": today + timedelta(weeks=26),
        "start_time": at,
        "time_zone": ZONE,
        "slots": SLOTS,
        "slot_minutes": 20,
    }


def written(engine: Engine, series_id: UUID) -> list[Insert]:
    """What the definition wrote, as one ready-made INSERT for each table."""
    sign = "?" if engine.dialect.name == "sqlite" else "%s"
    own = select(Session.id).where(Session.series_id == series_id)
    kept = {
        "series": Series.id == series_id,
        "session": Session.series_id == series_id,
        "slot": Slot.session_id.in_(own),
    }
    tables = Model.metadata.tables
    with engine.connect() as connection:
        found = [(tables[name], _as_stored(connection, tables[name], where)) for name, where in kept.items()]
    if [len(rows) for _, rows in found] != [1, SESSIONS, SESSIONS * SLOTS]:
        raise WrongOutcome(f"The round is to have {SESSIONS} sessions, not {len(found[1][1])}.")
    return [Insert.of(filled, rows, sign=sign) for filled, rows in found]


def insert_anew(engine: Engine, inserts: Sequence[Insert]) -> float:
    """Insert the same rows under new identifiers and commit; how many milliseconds that took."""
    known = [old for insert in inserts for old in insert.identifiers]
    new = {old: _like(old, one) for old, one in zip(known, new_ids(len(known)), strict=True)}
    ready = [(insert.statement, insert.renamed(new)) for insert in inserts]
    began = time.perf_counter()
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        for statement, values in ready:
            connection.exec_driver_sql(statement, values)
    return (time.perf_counter() - began) * 1000


def _as_stored(connection: Connection, filled: Table, where: ColumnElement[bool]) -> Sequence[Sequence[Any]]:
    """The rows with their values as the driver gives them, not as the columns' types read them."""
    return connection.execute(
        select(*(type_coerce(column, NullType()) for column in filled.columns)).where(where)
    ).all()


def _like(old: Any, new: UUID) -> Any:
    """The new identifier in the form in which the driver has the old one."""
    return new if isinstance(old, UUID) else new.hex


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    end_in_order()
    with postgres.server() as address:
        print(table(measure(address)))  # noqa: T201  - it is what the program is for
