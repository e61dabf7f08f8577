"""Where studies stand in the worklist."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """To this version; the standings themselves are derived when the program starts."""
    op.create_table(
        "standings",
        sa.Column("study_id", sa.String(64), sa.ForeignKey("studies.id"), primary_key=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("earlier", sa.Boolean(), nullable=False),
        sa.Column("read_at", sa.DateTime(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("place_new", sa.Integer(), nullable=False),
        sa.Column("place_ahead", sa.Integer(), nullable=False),
        sa.Column("first_arrival", sa.DateTime(), nullable=False),
        sa.Column("urgency", sa.String(8), nullable=True),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
    )
    op.create_index("standings_listed", "standings", ["shown", "read_at", "earlier"])
    op.create_index("standings_arrived", "standings", ["first_arrival"])
    count = op.create_table(
        "change_count",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), nullable=False),
    )
    op.bulk_insert(count, [{"id": 1, "number": 0}])
    op.create_index("ix_studies_study_date", "studies", ["study_date"])
    op.create_index("ix_reviews_copy_of", "reviews", ["copy_of"])
    op.create_index(
        "series_lost",
        "series",
        ["id"],
        sqlite_where=sa.text("lost_unread"),
        postgresql_where=sa.text("lost_unread"),
    )


def downgrade() -> None:
    """Back to the one before."""
    op.drop_index("series_lost", "series")
    op.drop_index("ix_reviews_copy_of", "reviews")
    op.drop_index("ix_studies_study_date", "studies")
    op.drop_table("change_count")
    op.drop_table("standings")
