"""The migrations make exactly the tables that the models describe, on both databases, and can be undone."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, Table, create_engine, inspect

from conference_orchestrator import migrations


def tables(url):
    engine = create_engine(url)
    found = set(inspect(engine).get_table_names()) - {"alembic_version"}
    engine.dispose()
    return found


def test_migrations_equal_models(database_url):
    migrations.upgrade(database_url)
    assert tables(database_url), "the migrations make something"
    assert migrations.differences(database_url) == []


def test_a_difference_between_migrations_and_models_is_seen(database_url):
    migrations.upgrade(database_url)
    engine = create_engine(database_url)
    Table("nobody_knows", MetaData(), Column("id", Integer, primary_key=True)).create(engine)
    engine.dispose()
    assert migrations.differences(database_url) != []


def test_migrations_can_be_undone_and_done_again(database_url):
    migrations.upgrade(database_url)
    made = tables(database_url)
    migrations.downgrade(database_url, "base")
    assert tables(database_url) == set()
    migrations.upgrade(database_url)
    assert tables(database_url) == made
    assert migrations.differences(database_url) == []


def test_the_service_knows_which_schema_it_needs(database_url):
    engine = create_engine(database_url)
    assert not migrations.is_current(engine)
    migrations.upgrade(database_url)
    assert migrations.is_current(engine), "HEAD names the newest migration"
    migrations.downgrade(database_url, "0001")
    assert not migrations.is_current(engine)
    engine.dispose()
