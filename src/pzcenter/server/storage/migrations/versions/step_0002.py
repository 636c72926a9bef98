"""Find products by words."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pzcenter.server.storage.search_words import index_words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SEEN_BY = ["state", "visibility", "release_id", "embargo_until", "owner_id"]
INDICES = {
    "ix_product_by_time": ["created_at", "id", *SEEN_BY],
    "ix_product_by_change": ["updated_at", "id", *SEEN_BY],
    "ix_product_by_name": ["display_name", "id", *SEEN_BY],
    "ix_product_seen": [*SEEN_BY, "product_type_id", "official", "is_latest"],
}
WORD = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "product_word",
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("word", WORD, nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_word_product_id_product"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "word", name=op.f("pk_product_word")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_product_word_word_product_id", "product_word", ["word", "product_id"])
    for name, columns in INDICES.items():
        op.create_index(name, "product", columns)
    connection = op.get_bind()
    index_words(connection, connection.scalars(sa.text("SELECT id FROM product")))


def downgrade() -> None:
    """Go back."""
    for name in INDICES:
        op.drop_index(name, table_name="product")
    op.drop_table("product_word")
