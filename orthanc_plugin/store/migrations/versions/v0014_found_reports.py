"""Reports of reviews that the store does not know, and reviews rebuilt from them."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """To this version."""
    # What is here already came under our eyes; what Orthanc has beside it the sweep finds.
    op.add_column(
        "series", sa.Column("reports_sought", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.add_column("reviews", sa.Column("rebuilt", sa.JSON(), nullable=True))
    op.create_table(
        "found_reports",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("instance_id", sa.String(64), nullable=False),
        sa.Column("study_id", sa.String(64), nullable=False),
        sa.Column("found_at", sa.DateTime(), nullable=False),
        sa.Column("looked_at", sa.DateTime(), nullable=True),
        sa.Column("looked_with", sa.String(), nullable=False),
        sa.Column("doubt", sa.String(16), nullable=True),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.Column("series_instance_uid", sa.String(), nullable=True),
        sa.Column("urgency", sa.String(8), nullable=True),
        sa.Column("review", sa.JSON(), nullable=True),
        sa.UniqueConstraint("instance_id", "study_id"),
    )
    op.create_index("ix_found_reports_study_id", "found_reports", ["study_id"])
    for name, which in (
        ("found_reports_in_doubt", "doubt IS NOT NULL"),
        ("found_reports_to_look_at", "looked_at IS NULL"),
    ):
        few = sa.text(which)
        op.create_index(name, "found_reports", ["study_id"], sqlite_where=few, postgresql_where=few)


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("found_reports")
    op.drop_column("reviews", "rebuilt")
    op.drop_column("series", "reports_sought")
