"""Help desk, notes, jobs that stand still, public extracts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import pzcenter.server.storage.base

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "note",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("at", pzcenter.server.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_note")),
    )
    op.create_table(
        "ticket",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=255), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column(
            "state",
            sa.Enum("OPEN", "ANSWERED", "CLOSED", name="ticketstate", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("product_id", sa.Integer(), nullable=True),
        sa.Column("challenge_id", sa.Integer(), nullable=True),
        sa.Column("created_at", pzcenter.server.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", pzcenter.server.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user_account.id"], name=op.f("fk_ticket_author_id_user_account")),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenge.id"], name=op.f("fk_ticket_challenge_id_challenge"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_ticket_product_id_product")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
        sa.UniqueConstraint("uid", name=op.f("uq_ticket_uid")),
    )
    op.create_index(op.f("ix_ticket_author_id"), "ticket", ["author_id"], unique=False)
    op.create_index("ix_ticket_state_id", "ticket", ["state", "id"], unique=False)

    op.create_table(
        "ticket_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", pzcenter.server.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["user_account.id"], name=op.f("fk_ticket_message_author_id_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_message_ticket_id_ticket"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_message")),
    )
    op.create_index(op.f("ix_ticket_message_ticket_id"), "ticket_message", ["ticket_id"], unique=False)

    op.add_column(
        "process", sa.Column("progress_at", pzcenter.server.storage.base.UtcDateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "process", sa.Column("stalled_at", pzcenter.server.storage.base.UtcDateTime(timezone=True), nullable=True)
    )

    op.add_column("release", sa.Column("public_extract", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Go back."""
    op.drop_column("release", "public_extract")

    op.drop_column("process", "stalled_at")
    op.drop_column("process", "progress_at")

    op.drop_index(op.f("ix_ticket_message_ticket_id"), table_name="ticket_message")

    op.drop_table("ticket_message")
    op.drop_index("ix_ticket_state_id", table_name="ticket")
    op.drop_index(op.f("ix_ticket_author_id"), table_name="ticket")

    op.drop_table("ticket")
    op.drop_table("note")
