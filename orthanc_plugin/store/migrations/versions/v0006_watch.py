"""What a model was trained on, and quick ways to what happened in the last weeks."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """To this version."""
    op.add_column("bundles", sa.Column("reference", sa.JSON(), nullable=True))
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_assessments_created_at", "assessments", ["created_at"])


def downgrade() -> None:
    """Back to the one before."""
    op.drop_index("ix_assessments_created_at", "assessments")
    op.drop_index("ix_audit_at", "audit")
    # Not by a new table, as elsewhere: others refer to this one.
    op.drop_column("bundles", "reference")
