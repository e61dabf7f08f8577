"""What failed before waits behind what was never tried."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """To this version."""
    for name in ("setbacks", "preview_attempts"):
        op.add_column("series", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("series", sa.Column("preview_owner", sa.String(), nullable=True))


def downgrade() -> None:
    """Back to the one before."""
    for name in ("preview_owner", "preview_attempts", "setbacks"):
        op.drop_column("series", name)
