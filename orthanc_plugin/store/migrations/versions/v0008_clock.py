"""What the clocks showed, and when the server's clock was set."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "clock_marks",
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("wall", sa.DateTime(), nullable=False),
        sa.Column("steady", sa.Float(), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("before", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("host"),
    )
    op.create_table(
        "clock_jumps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("clock_jumps")
    op.drop_table("clock_marks")
