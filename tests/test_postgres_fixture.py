"""The PostgreSQL of the tests is a real one, clean for every test, and never outlives them."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text

from tests import postgres
from tests.conftest import absent

SERVER_IN_A_PROCESS = """
from tests import postgres
with postgres.server() as url:
    print(url, flush=True)
    input()
"""

ours = pytest.mark.skipif("CO_TEST_POSTGRES_URL" in os.environ, reason="CO_TEST_POSTGRES_URL names a server not ours")


def connect(url: str) -> psycopg.Connection:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def test_the_server_is_postgresql(postgres_url):
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version()")).startswith("PostgreSQL ")
    engine.dispose()


def test_btree_gist_lets_the_database_refuse_overlaps(postgres_url):
    with connect(postgres_url) as connection:
        connection.execute("CREATE EXTENSION btree_gist")
        connection.execute("CREATE TABLE booking (host int, d daterange, EXCLUDE USING gist (host WITH =, d WITH &&))")
        connection.execute("INSERT INTO booking VALUES (1, '[2026-11-01,2026-11-08)'), (2, '[2026-11-01,2026-11-08)')")
        with pytest.raises(psycopg.errors.ExclusionViolation):
            connection.execute("INSERT INTO booking VALUES (1, '[2026-11-07,2026-11-09)')")


def test_a_database_is_new_and_goes_away_even_with_a_connection_left_open(postgres_server):
    with postgres.database(postgres_server) as url:
        left_open = connect(url)
        assert left_open.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
        left_open.execute("CREATE TABLE left_behind (id int)")
    left_open.close()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        connect(url)


def test_a_database_can_be_made_from_another(postgres_server):
    with postgres.database(postgres_server) as original:
        with connect(original) as connection:
            connection.execute("CREATE TABLE copied (id int)")
        with (
            postgres.database(postgres_server, template=make_url(original).database) as url,
            connect(url) as connection,
        ):
            assert connection.execute("SELECT count(*) FROM copied").fetchone() == (0,)


@ours
def test_the_server_leaves_no_files_behind(postgres_server):
    with postgres.server() as url:
        folder = Path(make_url(url).query["host"])
        assert folder.is_dir()
    assert not folder.exists()


@ours
def test_the_server_ends_even_when_its_process_is_killed(postgres_server):
    with (
        subprocess.Popen(
            [sys.executable, "-c", SERVER_IN_A_PROCESS],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
        connect(process.stdout.readline().strip()) as connection,
    ):
        assert not select.select([connection.fileno()], [], [], 0)[0], "the server lives while its process lives"
        process.kill()
        assert select.select([connection.fileno()], [], [], 30)[0], "the server did not close the connection"
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_what_is_absent_is_skipped_unless_it_is_required(monkeypatch):
    monkeypatch.delenv("CO_TEST_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="browser cannot be had: none found"):
        absent("browser", "none found")
    monkeypatch.setenv("CO_TEST_REQUIRE", "postgres,browser")
    with pytest.raises(pytest.fail.Exception, match="browser is required"):
        absent("browser", "none found")
