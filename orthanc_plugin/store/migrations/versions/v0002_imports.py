"""Imports: studies announced as brought in from a medium."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "imports",
        sa.Column("study_instance_uid", sa.String(), nullable=False),
        sa.Column("earlier", sa.Boolean(), nullable=False),
        sa.Column("announced_at", sa.DateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid"),
    )


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("imports")
