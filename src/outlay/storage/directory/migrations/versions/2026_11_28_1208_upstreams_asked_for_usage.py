"""upstreams asked for usage"""

from alembic import op
import sqlalchemy as sa


revision = '1dda40518883'
down_revision = '8474b1bf14ed'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('upstream', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('asks_usage', sa.Boolean(), server_default=sa.true(), nullable=False)
        )
