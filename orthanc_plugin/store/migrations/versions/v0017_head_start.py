"""A series is taken up before its quiet time is over, unless its images were seen to come slowly."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """To this version."""
    op.add_column("series", sa.Column("interrupted", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("series", "interrupted")
