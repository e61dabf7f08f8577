"""Series that were restored without their images."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "missing_images",
        sa.Column("series_id", sa.String(64), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("series_id"),
    )


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("missing_images")
