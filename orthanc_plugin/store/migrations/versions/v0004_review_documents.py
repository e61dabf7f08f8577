"""The report of a review belongs to no result of the machine."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """To this version."""
    with op.batch_alter_table("documents") as documents:
        documents.alter_column("assessment_id", existing_type=sa.Integer(), nullable=True)


def downgrade() -> None:
    """Back to the one before."""
    op.execute("UPDATE reviews SET report_uid = NULL")
    op.execute("DELETE FROM documents WHERE assessment_id IS NULL")
    with op.batch_alter_table("documents") as documents:
        documents.alter_column("assessment_id", existing_type=sa.Integer(), nullable=False)
