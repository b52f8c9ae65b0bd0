"""audit entries are never changed"""

from alembic import op


revision = '09cfc7212a38'
down_revision = '45a3ff65916f'
branch_labels = None
depends_on = None


_REFUSAL = "the audit trail is never changed"

_SQLITE = (
    ("audit_entry#no_update", "BEFORE UPDATE ON audit_entry"),
    ("audit_entry#no_delete", "BEFORE DELETE ON audit_entry"),
    # INSERT OR REPLACE deletes without firing the previous trigger.
    (
        "audit_entry#no_replace",
        "BEFORE INSERT ON audit_entry WHEN EXISTS (SELECT 1 FROM audit_entry "
        "WHERE organization_id = NEW.organization_id AND number = NEW.number)",
    ),
    # An erasure deletes values; nothing updates them.
    ("personal_value#no_update", "BEFORE UPDATE ON personal_value"),
)

_POSTGRES = (
    f"""CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$""",
    """CREATE TRIGGER "audit_entry#no_change" BEFORE UPDATE OR DELETE ON audit_entry
        FOR EACH ROW EXECUTE FUNCTION audit_refuse_change()""",
    """CREATE TRIGGER "audit_entry#no_truncate" BEFORE TRUNCATE ON audit_entry
        FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change()""",
    """CREATE TRIGGER "personal_value#no_update" BEFORE UPDATE ON personal_value
        FOR EACH ROW EXECUTE FUNCTION audit_refuse_change()""",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in _POSTGRES:
            op.execute(statement)
        return
    for name, event in _SQLITE:
        op.execute(
            f'CREATE TRIGGER "{name}" {event} BEGIN SELECT RAISE(ABORT, \'{_REFUSAL}\'); END'
        )
