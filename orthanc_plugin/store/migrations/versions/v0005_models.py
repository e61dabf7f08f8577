"""Models in service and in shadow: their history, and what a shadow says."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_IN_SERVICE = """
    SELECT digest FROM model_changes
    WHERE event NOT IN ('shadow_began', 'shadow_ended')
    ORDER BY id DESC LIMIT 1
"""


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "model_changes",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute(
        "INSERT INTO model_changes (id, at, event, digest, actor, reason) "
        "SELECT 1, first_used, 'shipped', digest, 'triage', '' FROM bundles WHERE in_service"
    )
    with op.batch_alter_table("bundles") as bundles:
        bundles.drop_column("in_service")
    with op.batch_alter_table("model_changes") as changes:
        changes.create_foreign_key("model_changes_bundle", "bundles", ["digest"], ["digest"])
    op.create_table(
        "shadow_assessments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.String(length=64), nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("begun_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("urgency", sa.String(length=8), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("trouble", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"]),
        sa.ForeignKeyConstraint(["bundle"], ["bundles.digest"]),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("assessment_id", "bundle"),
    )
    op.create_index("ix_shadow_assessments_series_id", "shadow_assessments", ["series_id"])
    with op.batch_alter_table("workers") as workers:
        workers.add_column(sa.Column("bundle", sa.String(length=64), nullable=True))
        workers.add_column(sa.Column("loading", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Back to the one before."""
    with op.batch_alter_table("workers") as workers:
        workers.drop_column("loading")
        workers.drop_column("bundle")
    op.drop_index("ix_shadow_assessments_series_id", "shadow_assessments")
    op.drop_table("shadow_assessments")
    with op.batch_alter_table("model_changes") as changes:
        changes.drop_constraint("model_changes_bundle", type_="foreignkey")
    with op.batch_alter_table("bundles") as bundles:
        bundles.add_column(sa.Column("in_service", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(f"UPDATE bundles SET in_service = (digest IN (SELECT digest FROM ({_IN_SERVICE}) AS last))")
    op.drop_table("model_changes")
