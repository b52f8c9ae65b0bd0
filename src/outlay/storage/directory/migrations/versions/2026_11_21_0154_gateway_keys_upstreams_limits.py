"""gateway keys upstreams limits"""

from alembic import op
import sqlalchemy as sa


revision = '43c75358bfe8'
down_revision = '92840b4556e6'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('directory_revision',
    sa.Column('only', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('only', name=op.f('directory_revision#primary'))
    )
    op.execute('INSERT INTO directory_revision ("only", revision) VALUES (1, 0)')
    op.create_table('spend_limit',
    sa.Column('organization_id', sa.String(), nullable=False),
    sa.Column('scope', sa.String(), nullable=False),
    sa.Column('scope_id', sa.String(), nullable=False),
    sa.Column('interval', sa.String(), nullable=False),
    sa.Column('amount_pusd', sa.BigInteger(), nullable=False),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.organization_id'], name=op.f('spend_limit#organization_id#organization')),
    sa.PrimaryKeyConstraint('organization_id', 'scope', 'scope_id', 'interval', name=op.f('spend_limit#primary'))
    )
    op.create_table('upstream',
    sa.Column('upstream_id', sa.String(), nullable=False),
    sa.Column('organization_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('provider', sa.String(), nullable=False),
    sa.Column('base_url', sa.String(), nullable=False),
    sa.Column('sealed_secret', sa.LargeBinary(), nullable=True),
    sa.Column('hint', sa.String(), nullable=False),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.Column('deleted_at_us', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.organization_id'], name=op.f('upstream#organization_id#organization')),
    sa.PrimaryKeyConstraint('upstream_id', name=op.f('upstream#primary'))
    )
    with op.batch_alter_table('upstream', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('upstream#organization_id'), ['organization_id'], unique=False)

    op.create_table('model_mapping',
    sa.Column('organization_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('upstream_id', sa.String(), nullable=False),
    sa.Column('model', sa.String(), nullable=False),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organization.organization_id'], name=op.f('model_mapping#organization_id#organization')),
    sa.ForeignKeyConstraint(['upstream_id'], ['upstream.upstream_id'], name=op.f('model_mapping#upstream_id#upstream')),
    sa.PrimaryKeyConstraint('organization_id', 'name', name=op.f('model_mapping#primary'))
    )
    with op.batch_alter_table('model_mapping', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('model_mapping#upstream_id'), ['upstream_id'], unique=False)

    with op.batch_alter_table('api_key', schema=None) as batch_op:
        batch_op.add_column(sa.Column('secret_digest', sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column('hint', sa.String(), server_default='', nullable=False))
        batch_op.add_column(sa.Column('trusts_caller', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('expires_at_us', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('revoked_at_us', sa.BigInteger(), nullable=True))

