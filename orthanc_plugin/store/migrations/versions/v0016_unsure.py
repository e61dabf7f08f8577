"""Whether an answer is sure: earlier ones were of one network, which never says that it is not."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """To this version."""
    op.add_column("assessments", sa.Column("unsure", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("assessments", "unsure")
