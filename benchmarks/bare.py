"""Flask and SQLAlchemy with nothing of ours: one view inserts a row and commits, one reads it.

The first is the limit of P2, served as `conference-orchestrator web` is: the same gunicorn with the same settings. The
second is what P3 is held against, by a worker of gunicorn's plainest kind.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from uuid import UUID, uuid4

import click
from flask import Flask
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from conference_orchestrator.wsgi import Server


class Base(DeclarativeBase):
    """The base of the one table."""


class Place(Base):
    """A row of about the size of an allocation."""

    __tablename__ = "place"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]
    created_at: Mapped[datetime]


def create_app(engine: Engine) -> Flask:
    """The application on the database of the engine."""
    app = Flask("benchmarks.bare")

    @app.get("/health/ready")
    def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/places")
    def insert() -> dict[str, str]:
        with Session(engine) as session:
            place = Place(id=uuid4(), name="the last slot", created_at=datetime.now(UTC).replace(tzinfo=None))
            session.add(place)
            session.commit()
            return {"id": str(place.id)}

    @app.get("/places/<uuid:place_id>")
    def read(place_id: UUID) -> dict[str, str]:
        with Session(engine) as session:
            place = session.get_one(Place, place_id)
            return {"id": str(place.id), "name": place.name, "created_at": place.created_at.isoformat()}

    return app


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--processes", type=int, required=True)
@click.option("--one-at-a-time", is_flag=True, help="Each process answers one request at a time.")
def main(port: int, processes: int, *, one_at_a_time: bool) -> None:
    """Serve it on the database that CO_DATABASE_URL names."""
    engine = _engine()
    Base.metadata.create_all(engine)
    engine.dispose()
    server = Server(lambda: create_app(_engine()), host="127.0.0.1", port=port, processes=processes)
    if one_at_a_time:
        server.cfg.set("worker_class", "sync")
    server.run()


def _engine() -> Engine:
    return create_engine(os.environ["CO_DATABASE_URL"], pool_size=10, max_overflow=10)


if __name__ == "__main__":
    main()
