"""Run by Alembic: migrates on the connection that `migrations.upgrade` or `downgrade` hands in."""

from __future__ import annotations

from alembic import context

from conference_orchestrator.migrations import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata(), compare_type=True)
with context.begin_transaction():
    context.run_migrations()
