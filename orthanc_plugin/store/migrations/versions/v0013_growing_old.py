"""What failed before waits behind what was never tried; documents are compressed, and some let go."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.sql import column, table

from orthanc_plugin.store.base import Compressed

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """To this version."""
    for name in ("setbacks", "preview_attempts"):
        op.add_column("series", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("series", sa.Column("preview_owner", sa.String(), nullable=True))
    # Those that are there are compressed by and by.
    op.add_column(
        "documents", sa.Column("compressed", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("documents", sa.Column("let_go_at", sa.DateTime(), nullable=True))
    op.create_index(
        "documents_to_compress",
        "documents",
        ["sop_instance_uid"],
        sqlite_where=sa.text("compressed = 0"),
        postgresql_where=sa.text("NOT compressed"),
    )


def downgrade() -> None:
    """Back to the one before, which knows of no compression."""
    written = table("documents", column("sop_instance_uid"), column("content", sa.LargeBinary()))
    unpack = Compressed()
    connection = op.get_bind()
    for uid in connection.execute(sa.select(written.c.sop_instance_uid)).scalars().all():
        here = written.c.sop_instance_uid == uid
        content = connection.execute(sa.select(written.c.content).where(here)).scalar_one()
        whole = unpack.process_result_value(content, connection.dialect)
        if whole != content:
            connection.execute(sa.update(written).where(here).values(content=whole))
    op.drop_index("documents_to_compress", "documents")
    for name in ("let_go_at", "compressed"):
        op.drop_column("documents", name)
    for name in ("preview_owner", "preview_attempts", "setbacks"):
        op.drop_column("series", name)
