"""Copies that Orthanc makes, and images that come again."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """To this version."""
    for column in (
        sa.Column("copied_from", sa.String(64), nullable=True),
        sa.Column("anonymised", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("joined", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("took_place", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("aside", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("known_since", sa.DateTime(), nullable=True),
        sa.Column("files_digest", sa.String(64), nullable=True),
        sa.Column("sent_again_at", sa.DateTime(), nullable=True),
    ):
        op.add_column("series", column)
    op.create_index("ix_series_copied_from", "series", ["copied_from"])
    op.create_index("ix_assessments_pixel_digest", "assessments", ["pixel_digest"])
    op.create_index("ix_documents_orthanc_id", "documents", ["orthanc_id"])
    op.create_table(
        "copied_documents",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("copied_from", sa.String(64), nullable=True),
        sa.Column("found_at", sa.DateTime(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(), nullable=True),
    )


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("copied_documents")
    op.drop_index("ix_documents_orthanc_id", "documents")
    op.drop_index("ix_assessments_pixel_digest", "assessments")
    op.drop_index("ix_series_copied_from", "series")
    for name in (
        "sent_again_at",
        "files_digest",
        "known_since",
        "aside",
        "took_place",
        "joined",
        "anonymised",
        "copied_from",
    ):
        op.drop_column("series", name)
