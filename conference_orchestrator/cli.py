"""The command line, `conference-orchestrator`. Errors are one line on standard error: 2 wrong use, 1 anything else."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from flask import Flask
from sqlalchemy.exc import OperationalError

from conference_orchestrator import logs, migrations
from conference_orchestrator import settings as all_settings
from conference_orchestrator.app import create_app, engine_of, timer_of
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import OrchestratorError
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.network import clinicians
from conference_orchestrator.settings import Settings, SettingsError

NO_SCHEMA = "The database has not the schema of this version; run `conference-orchestrator db upgrade`."


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its status."""
    try:
        status = cli.main(args=arguments, prog_name="conference-orchestrator", standalone_mode=False)
    except click.ClickException as error:
        _end(error.format_message(), 2 if isinstance(error, click.UsageError) else 1)
    except click.Abort:
        _end("Stopped.", 1)
    except (SettingsError, OrchestratorError) as error:
        _end(str(error), 1)
    except OperationalError as error:
        _end(f"The database cannot be used: {str(error.orig).splitlines()[0]}", 1)
    sys.exit(status if isinstance(status, int) else 0)


def _end(said: str, status: int) -> None:
    click.echo(" ".join(said.split()), err=True)
    sys.exit(status)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Run the meetings of a clinical expert network."""


def _settings() -> Settings:
    loaded = all_settings.load(os.environ)
    logs.configure(loaded)
    return loaded


def _app(*, checked: bool = True) -> Flask:
    app = create_app(_settings())
    if checked:
        with app.app_context():
            try:
                if not migrations.is_current(db.engine):
                    raise click.ClickException(NO_SCHEMA)
            finally:
                db.engine.dispose()
    return app


@contextmanager
def _at_work(*, checked: bool = True) -> Iterator[None]:
    """The flows at work on the database for one command, whose connections are closed at its end."""
    with _app(checked=checked).app_context():
        try:
            yield
        finally:
            db.session.remove()
            db.engine.dispose()


@cli.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port of the service.")
def demo(port: int) -> None:
    """Try it: a demonstration network, a Webex-compatible sandbox, the service, and one story played on it."""
    from conference_orchestrator.demo import stage  # noqa: PLC0415  - the demonstration is not loaded by the service

    sys.exit(stage.play(port=port))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
def run(host: str, port: int) -> None:
    """Serve everything in one process: web, timer and outbox. The schema is brought up to date first."""
    migrations.upgrade(_settings().database_url)
    _serve(host, port, processes=1, with_work=True)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="How many processes.")
def web(host: str, port: int, processes: int) -> None:
    """Serve pages and API only; a `timer` or a `worker` does the work."""
    _serve(host, port, processes=processes, with_work=False)


def _serve(host: str, port: int, *, processes: int, with_work: bool) -> None:
    from conference_orchestrator.wsgi import Server  # noqa: PLC0415  - gunicorn is loaded for serving only

    app = _app()
    with app.app_context():
        _adopt_hosts()
        db.engine.dispose()
    Server(_app, host=host, port=port, processes=processes, with_work=with_work).run()


@cli.command()
def worker() -> None:
    """Do the work of the outbox; any number of them may run."""
    app = _app()
    _work_until_stopped(engine_of(app))


@cli.command()
def timer() -> None:
    """Keep the timetable and do the work of the outbox; two or more stand by for each other."""
    app = _app()
    with app.app_context():
        _adopt_hosts()
    _work_until_stopped(engine_of(app), timer_of(app))


def _adopt_hosts() -> None:
    from conference_orchestrator.flows import hosting  # noqa: PLC0415  - only where a service starts

    hosting.adopt_hosts_of_settings()


def _work_until_stopped(*parts: Any) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    for part in parts:
        part.start()
    stopping.wait()
    for part in reversed(parts):
        part.stop()


@cli.group(name="db")
def database() -> None:
    """Migrate the schema."""


@database.command()
def upgrade() -> None:
    """Bring the schema up to date."""
    migrations.upgrade(_settings().database_url)


@database.command()
def check() -> None:
    """Compare the schema with what this version needs; 1 when they differ."""
    found = migrations.differences(_settings().database_url)
    for difference in found:
        click.echo(str(difference))
    if found:
        raise click.ClickException(NO_SCHEMA)


@database.command()
@click.argument("revision")
def downgrade(revision: str) -> None:
    """Take the schema back to REVISION (`base`: to nothing, with all data)."""
    try:
        migrations.downgrade(_settings().database_url, revision)
    except LookupError as error:
        raise click.ClickException(f"The schema cannot be taken back to {revision!r}: {error}.") from error


@cli.group()
def token() -> None:
    """Make, list and revoke bearer tokens."""


@token.command(name="create")
@click.option("--role", required=True, help="helpdesk, coordinator, reference-centre, clinician or auditor.")
@click.option("--network", help="Code of the network that the token is narrowed to.")
@click.option("--group", help="Code of the expert group (coordinator).")
@click.option("--hospital", help="Code of the hospital (reference-centre).")
@click.option("--clinician", help="E-mail of the clinician (clinician).")
@click.option("--name", help="What the token is for.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is valid; without: until it is revoked.")
def create_token(days: int | None, **wanted: Any) -> None:
    """Print a new token, once, alone on the last line."""
    from conference_orchestrator.flows import access  # noqa: PLC0415  - loaded by this command only

    with _at_work():
        _, secret = access.create(**wanted, valid_for=timedelta(days=days) if days else None)
    click.echo(secret)


@token.command(name="list")
def list_tokens() -> None:
    """List the tokens, without the words themselves."""
    from conference_orchestrator.flows import access  # noqa: PLC0415  - loaded by this command only

    with _at_work():
        for line in access.lines():
            click.echo(line)


@token.command(name="revoke")
@click.argument("token_id", type=click.UUID)
def revoke_token(token_id: UUID) -> None:
    """Make the token with that id useless at once."""
    from conference_orchestrator.flows import access  # noqa: PLC0415  - loaded by this command only

    with _at_work():
        access.revoke(token_id)


@cli.command(name="import")
@click.argument("kind", type=click.Choice(["hospitals", "clinicians", "groups"]))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
def import_(kind: str, file: Path, *, dry_run: bool) -> None:
    """Load a CSV or XLSX file, all or nothing; one line for each row that is refused."""
    from conference_orchestrator.flows import importing  # noqa: PLC0415  - loaded by this command only

    with _at_work():
        report = importing.import_file(kind, file, dry_run=dry_run)
    for line in report.refused:
        click.echo(line, err=True)
    if report.refused:
        raise click.ClickException(f"Nothing was stored: {len(report.refused)} rows are refused.")
    click.echo(f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged.")


@cli.command()
@click.argument("kind", type=click.Choice(["hospitals", "clinicians", "groups"]))
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=True), default="-")
def export(kind: str, file: Any) -> None:
    """Write what `import` reads, as CSV, to FILE or standard output."""
    from conference_orchestrator.flows import importing  # noqa: PLC0415  - loaded by this command only

    with _at_work():
        file.write(importing.export_csv(kind))


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
def load(file: Path) -> None:
    """Load networks, groups, rounds and more from a TOML file; repeating it changes nothing."""
    from conference_orchestrator.flows import loading  # noqa: PLC0415  - loaded by this command only

    with _at_work():
        report = loading.load(file)
    click.echo(f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged.")


@cli.command()
@click.argument("clinician")
@click.option("--yes", is_flag=True, help="Do not ask first on a terminal.")
def erase(clinician: str, *, yes: bool) -> None:
    """Forget CLINICIAN, named by id or address. Nobody can take it back; on a terminal it asks first."""
    from conference_orchestrator.flows import erasing  # noqa: PLC0415  - loaded by this command only

    with _at_work():
        person = clinicians.find(clinician, visible_to=SYSTEM)
        if not yes and sys.stdin.isatty():
            click.confirm(f"Forget {person.name} <{person.email}>? Nobody can take it back", abort=True)
        erasing.erase(person.id, by=SYSTEM)
    click.echo(f"Erased; what is left is empty and has the id {person.id}.")


@cli.command(name="access-export")
@click.argument("clinician")
def access_export(clinician: str) -> None:
    """Print everything that is kept about CLINICIAN, named by id or address, as JSON."""
    from conference_orchestrator.flows import exporting  # noqa: PLC0415  - loaded by this command only

    with _at_work():
        found = exporting.everything_about(clinicians.find(clinician, visible_to=SYSTEM).id, by=SYSTEM)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


@cli.command()
@click.option("--repair", is_flag=True, help="Mend what needs no person, say what was done, and look again.")
def verify(*, repair: bool) -> int:
    """Prove the invariants on the database and the providers: one line for each violation, 1 when there is any."""
    from conference_orchestrator.flows import verifying  # noqa: PLC0415  - loaded by this command only
    from conference_orchestrator.insight import invariants  # noqa: PLC0415  - loaded by this command only

    with _at_work(checked=False):
        violations = invariants.violations()
        if violations == [invariants.SCHEMA_DIFFERS]:
            return _told(violations)
        look = verifying.look_at_meetings()
        for said in look.not_asked:
            click.echo(said, err=True)
        status = _told([*violations, *look.troubles])
        if repair:
            misinformed = [one.conference_id for one in violations if one.conference_id is not None]
            _told(verifying.repair(look.troubles, misinformed=misinformed), after="repair: ")
            left: list[invariants.Violation | verifying.Trouble] = [*invariants.violations()]
            left += verifying.look_at_meetings().troubles
            status = _told([one for one in left if one.invariant not in verifying.LEFT_TO_TASKS], after="left: ")
        return status


def _told(lines: Sequence[object], *, after: str = "") -> int:
    for line in lines:
        click.echo(f"{after}{line}")
    return 1 if lines else 0


@cli.group()
def sandbox() -> None:
    """Run a provider's stand-in for development and tests."""


@sandbox.command()
@click.option("--port", default=9001, show_default=True, type=click.IntRange(0, 65535), help="Port on 127.0.0.1.")
@click.option("--faults", type=click.Path(path_type=Path, exists=True), help="Faults to play, by script.")
@click.option("--state", type=click.Path(path_type=Path), help="File in which the meetings outlive a restart.")
def webex(port: int, faults: Path | None, state: Path | None) -> None:
    """Serve what a Webex client takes for Webex."""
    from conference_orchestrator.providers.sandbox import serve_sandbox  # noqa: PLC0415  - not part of the service

    serve_sandbox(port=port, faults=faults, state=state)


@cli.command()
def settings() -> None:
    """Show every setting, its value (secrets masked) and where it came from."""
    loaded = all_settings.load(os.environ)
    for name, value, origin in all_settings.report(loaded, os.environ):
        click.echo(f"{name}={value}  ({origin})")
