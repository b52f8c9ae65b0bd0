"""Links and tokens of an installation from before they recorded who and what created them."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from tests.factories import NOW

from outlay.domain.actor import Issuer
from outlay.domain.ids import MemberId, OrganizationId, TokenId
from outlay.kit.clock import to_us
from outlay.storage.directory.access_tokens import list_access_tokens
from outlay.storage.directory.invitations import list_invitations
from outlay.storage.directory.migrations import __path__ as migrations
from outlay.storage.directory.password_links import list_password_links
from outlay.storage.directory.session import ReadSession

BEFORE = "3130e64f0045"
US = to_us(NOW)
HOUR = 3_600_000_000


def upgrade_to(connection: Connection, revision: str) -> None:
    """Run the migrations up to one."""
    config = Config()
    config.set_main_option("script_location", migrations[0])
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def put_handed_out(connection: Connection) -> None:
    """An admin's token created another one, which created a third one and an invitation."""
    for statement in (
        "INSERT INTO organization (organization_id, name, slug, plan, timezone, created_at_us) "
        f"VALUES ('org_a', 'Acme', 'acme', 'enterprise', 'UTC', {US})",
        "INSERT INTO member (member_id, organization_id, name, email, role, created_at_us) "
        f"VALUES ('mem_a', 'org_a', 'Ada', 'ada@example.test', 'admin', {US}), "
        f"('mem_b', 'org_a', 'Bob', 'bob@example.test', 'developer', {US})",
        "INSERT INTO access_token (token_id, member_id, description, digest, scopes, "
        "created_at_us, expires_at_us, revoked_at_us) VALUES "
        + ", ".join(
            f"('{token_id}', 'mem_a', 't', {_bytes(connection)}, 'usage:read', {US}, "
            f"{expires}, {revoked})"
            for token_id, expires, revoked in (
                ("one", US + HOUR, "NULL"),
                ("two", "NULL", "NULL"),
                ("three", US + 2 * HOUR, "NULL"),
                ("gone", "NULL", US),
                ("orphan", "NULL", "NULL"),
                ("alone", "NULL", "NULL"),
            )
        ),
        "INSERT INTO invitation (invitation_id, organization_id, email, role, digest, "
        "created_at_us, expires_at_us) VALUES "
        f"('inv_a', 'org_a', 'a@x.test', 'admin', {_bytes(connection)}, {US}, {US}), "
        f"('inv_b', 'org_a', 'b@x.test', 'admin', {_bytes(connection, 1)}, {US}, {US})",
        "INSERT INTO password_link (digest, member_id, created_at_us, expires_at_us) "
        f"VALUES ({_bytes(connection)}, 'mem_b', {US}, {US})",
        "INSERT INTO audit_entry (organization_id, number, time_us, channel, author_id, "
        "credential_id, request_id, action, target, digest) VALUES "
        + ", ".join(
            f"('org_a', {number}, {US + number}, 'token', '{author}', '{token}', '', '{action}', "
            f"'{target}', {_bytes(connection)})"
            for number, (author, token, action, target) in enumerate(
                (
                    ("mem_a", "", "token.create", "one"),
                    ("mem_a", "one", "token.create", "two"),
                    ("mem_a", "two", "token.create", "three"),
                    ("mem_a", "gone", "token.create", "orphan"),
                    ("", "", "token.create", "alone"),
                    ("mem_a", "two", "invitation.create", "inv_a"),
                    ("", "", "invitation.create", "inv_b"),
                    ("mem_a", "", "password_link.create", "mem_b"),
                    ("mem_a", "one", "password_link.create", "mem_b"),
                ),
                1,
            )
        ),
    ):
        connection.execute(text(statement))


def _bytes(connection: Connection, number: int = 0) -> str:
    """A literal of bytes."""
    return f"'\\x0{number}'::bytea" if connection.dialect.name == "postgresql" else f"x'0{number}'"


def check_handed_out(session: ReadSession) -> None:
    """Check that all of them record their creator, and that no token outlives its parent."""
    tokens = {
        token.token_id: token for token in list_access_tokens(session, OrganizationId("org_a"))
    }
    assert {token_id: token.parent_id for token_id, token in tokens.items()} == {
        "one": None,
        "two": "one",
        "three": "two",
        "gone": None,
        "orphan": "gone",
        "alone": None,
    }
    assert {tokens[name].expires_at_us for name in map(TokenId, ("one", "two", "three"))} == {
        US + HOUR
    }
    assert {name for name, token in tokens.items() if token.is_revoked} == {"gone", "orphan"}
    assert [
        invitation.issuer for invitation in list_invitations(session, OrganizationId("org_a"))
    ] == [
        Issuer(member_id=MemberId("mem_a"), token_id=TokenId("two")),
        Issuer(member_id=None, token_id=None),
    ]
    assert [link.issuer for link in list_password_links(session, OrganizationId("org_a"))] == [
        Issuer(member_id=MemberId("mem_a"), token_id=TokenId("one"))
    ]
