"""Under which licence models came; of earlier ones a worker says it when it next loads them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """To this version."""
    op.add_column("bundles", sa.Column("licence", sa.String(), nullable=False, server_default=""))
    op.add_column("bundles", sa.Column("use", sa.String(16), nullable=True))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("bundles", "use")
    op.drop_column("bundles", "licence")
