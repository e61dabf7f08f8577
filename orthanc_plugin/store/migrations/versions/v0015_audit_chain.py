"""The audit is a chain; what is here already is taken into it at the next start."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """To this version."""
    op.add_column("audit", sa.Column("number", sa.Integer(), nullable=True))
    op.add_column("audit", sa.Column("running", sa.Integer(), nullable=True))
    op.add_column("audit", sa.Column("seal", sa.String(81), nullable=True))
    op.create_index("audit_number", "audit", ["number"], unique=True)
    for name, which in (
        ("audit_to_link", "number IS NULL"),
        ("audit_marks", "event IN ('started', 'audit_released', 'audit_fault')"),
    ):
        few = sa.text(which)
        op.create_index(name, "audit", ["id"], sqlite_where=few, postgresql_where=few)


def downgrade() -> None:
    """Back to the one before."""
    op.drop_index("audit_marks", "audit")
    op.drop_index("audit_to_link", "audit")
    op.drop_index("audit_number", "audit")
    for name in ("seal", "running", "number"):
        op.drop_column("audit", name)
