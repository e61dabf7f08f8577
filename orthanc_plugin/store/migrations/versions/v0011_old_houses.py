"""What is asked often costs the same however much there is: indices of the few, counts, figures by week."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_FEW = (
    ("series_to_publish", "series", ["publish_not_before"], "publish_wanted != publish_done", None),
    ("series_sent_again", "series", ["sent_again_at"], "sent_again_at IS NOT NULL", None),
    ("series_to_render", "series", ["first_arrival"], "preview_pending = 1", "preview_pending"),
    ("series_lost", "series", ["changed_at"], "lost_unread = 1", "lost_unread"),
    ("reviews_to_report", "reviews", ["id"], "report_uid IS NULL", None),
    ("documents_to_forward", "documents", ["sop_instance_uid"], "to_forward = 1", "to_forward"),
    ("shadows_in_hand", "shadow_assessments", ["owner"], "ended_at IS NULL", None),
    (
        "assessments_to_shadow",
        "assessments",
        ["created_at"],
        "to_shadow = 1 AND withdrawn_at IS NULL",
        "to_shadow AND withdrawn_at IS NULL",
    ),
    ("standings_here", "standings", ["first_arrival"], "shown = 1", "shown"),
    ("standings_unread_alerts", "standings", ["first_arrival"], "unread_alert IS NOT NULL", None),
    ("standings_to_sum", "standings", ["first_arrival"], "number != summed", None),
)
"""Name, table, columns, and which rows, in SQLite and where that has other words in PostgreSQL."""


def upgrade() -> None:
    """To this version."""
    op.add_column(
        "assessments", sa.Column("to_shadow", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.execute(
        "UPDATE assessments SET to_shadow = true WHERE NOT preliminary"
        " AND id NOT IN (SELECT assessment_id FROM shadow_assessments)"
    )
    op.add_column("standings", sa.Column("unread_alert", sa.String(8), nullable=True))
    op.add_column("standings", sa.Column("summed", sa.Integer(), nullable=False, server_default="0"))
    for name, which in (("delivered", "NOT as_text"), ("delivered_as_text", "as_text")):
        op.add_column("receivers", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
        op.execute(
            f"UPDATE receivers SET {name} = (SELECT count(*) FROM deliveries"
            f" WHERE receiver = receivers.name AND delivered_at IS NOT NULL AND {which})"
        )
    tallies = op.create_table(
        "tallies",
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
    )
    kept = [{"kind": "teaching", "key": key, "count": 0, "seconds": 0.0} for key in ("listed", "waiting")]
    op.bulk_insert(tallies, kept)  # the others are counted at each start
    op.create_table(
        "study_figures",
        sa.Column("study_id", sa.String(64), sa.ForeignKey("studies.id"), primary_key=True),
        sa.Column("figures", sa.JSON(), nullable=False),
    )
    op.create_table(
        "week_figures",
        sa.Column("week", sa.Date(), primary_key=True),
        sa.Column("model", sa.String(64), primary_key=True),
        sa.Column("figures", sa.JSON(), nullable=False),
    )
    op.create_table(
        "teaching",
        sa.Column("study_id", sa.String(64), sa.ForeignKey("studies.id"), primary_key=True),
        sa.Column("first_arrival", sa.DateTime(), nullable=False),
        sa.Column("minus_worth", sa.Float(), nullable=False),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("row", sa.JSON(), nullable=False),
    )
    op.create_index("teaching_order", "teaching", ["waiting", "minus_worth", "first_arrival", "study_id"])
    op.create_index("ix_series_superseded_by", "series", ["superseded_by"])
    op.create_index("series_to_check", "series", ["state", "checked_at"])
    for name, table in (("documents_to_forward", "documents"), ("series_lost", "series")):
        op.drop_index(name, table)
    for name, table, columns, which, in_postgresql in _FEW:
        op.create_index(
            name,
            table,
            columns,
            sqlite_where=sa.text(which),
            postgresql_where=sa.text(in_postgresql or which),
        )


def downgrade() -> None:
    """Back to the one before."""
    for name, table, *_ in reversed(_FEW):
        op.drop_index(name, table)
    for name, table, column, which in (
        ("documents_to_forward", "documents", "sop_instance_uid", sa.text("to_forward")),
        ("series_lost", "series", "id", sa.text("lost_unread")),
    ):
        op.create_index(name, table, [column], sqlite_where=which, postgresql_where=which)
    op.drop_index("series_to_check", "series")
    op.drop_index("ix_series_superseded_by", "series")
    for table in ("teaching", "week_figures", "study_figures", "tallies"):
        op.drop_table(table)
    for name in ("delivered_as_text", "delivered"):
        op.drop_column("receivers", name)
    for name in ("summed", "unread_alert"):
        op.drop_column("standings", name)
    op.drop_column("assessments", "to_shadow")
