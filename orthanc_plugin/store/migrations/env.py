"""Run the migrations on the connection that :mod:`orthanc_plugin.store.database` hands over."""

from alembic import context

from orthanc_plugin.store.tables import Study

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Study.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
