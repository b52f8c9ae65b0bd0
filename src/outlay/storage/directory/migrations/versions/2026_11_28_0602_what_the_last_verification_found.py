"""what the last verification found"""

from alembic import op
import sqlalchemy as sa


revision = '4fc123c48f79'
down_revision = '09cfc7212a38'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The result of an older version lacks the new facts. Without a result, a verification is due at
    # once.
    op.execute("DELETE FROM verification")
    with op.batch_alter_table('verification', schema=None) as batch_op:
        batch_op.add_column(sa.Column('events', sa.BigInteger(), nullable=False))
        batch_op.add_column(sa.Column('through_seq', sa.BigInteger(), nullable=False))
        batch_op.add_column(sa.Column('through_us', sa.BigInteger(), nullable=False))
        batch_op.add_column(sa.Column('finding', sa.String(), nullable=False))
