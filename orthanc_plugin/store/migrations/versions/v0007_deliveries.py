"""What went to which DICOM modality; which patients are protected; alerts that were deleted unread."""

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_OPEN = sa.text("delivered_at IS NULL")


def upgrade() -> None:
    """To this version."""
    op.add_column("series", sa.Column("lost_unread", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "protections",
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("patient_id"),
    )
    op.add_column(
        "documents", sa.Column("to_forward", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.create_index(
        "documents_to_forward",
        "documents",
        ["sop_instance_uid"],
        sqlite_where=sa.text("to_forward"),
        postgresql_where=sa.text("to_forward"),
    )
    receivers = op.create_table(
        "receivers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(length=16), nullable=True),
        sa.Column("not_before", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    deliveries = op.create_table(
        "deliveries",
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("receiver", sa.String(), nullable=False),
        sa.Column("not_before", sa.DateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(length=16), nullable=True),
        sa.Column("delivered_at", sa.DateTime(), nullable=True),
        sa.Column("as_text", sa.Boolean(), nullable=False),
        sa.Column("gave_up_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["sop_instance_uid"], ["documents.sop_instance_uid"]),
        sa.ForeignKeyConstraint(["receiver"], ["receivers.name"]),
        sa.PrimaryKeyConstraint("sop_instance_uid", "receiver"),
    )
    op.create_index(
        "open_deliveries",
        "deliveries",
        ["receiver", "not_before"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    _take_over(receivers, deliveries)
    for column in ("forward_not_before", "forward_jobs", "forwarded_at"):
        # Not by a new table, as elsewhere: others refer to this one.
        op.drop_column("documents", column)


def _take_over(receivers: sa.Table, deliveries: sa.Table) -> None:
    """What was sent on is delivered; what was under way is planned anew: nobody knows what of it arrived."""
    connection = op.get_bind()
    arrived = connection.execute(
        sa.text(
            "SELECT sop_instance_uid, forward_jobs, forwarded_at FROM documents"
            " WHERE forwarded_at IS NOT NULL AND forward_not_before IS NULL"
        ).columns(forwarded_at=sa.DateTime())
    ).all()
    rows = [
        {"sop_instance_uid": uid, "receiver": name, "attempts": 0, "delivered_at": at, "as_text": False}
        for uid, jobs, at in arrived
        for name in (json.loads(jobs) if isinstance(jobs, str) else jobs)
    ]
    now = datetime.now(UTC).replace(tzinfo=None)
    for name in {row["receiver"] for row in rows}:
        connection.execute(receivers.insert().values(name=name, misses=0, not_before=now))
    if rows:
        connection.execute(deliveries.insert(), rows)
    connection.execute(
        sa.text(
            "UPDATE documents SET to_forward = true"
            " WHERE forward_not_before IS NOT NULL AND withdrawn_at IS NULL"
        )
    )


def downgrade() -> None:
    """Back to the one before; what was under way is not sent on."""
    op.add_column("documents", sa.Column("forwarded_at", sa.DateTime(), nullable=True))
    op.add_column("documents", sa.Column("forward_jobs", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("documents", sa.Column("forward_not_before", sa.DateTime(), nullable=True))
    op.drop_table("deliveries")
    op.drop_table("receivers")
    op.drop_table("protections")
    op.drop_index("documents_to_forward", "documents")
    op.drop_column("documents", "to_forward")
    op.drop_column("series", "lost_unread")
