"""The directory's tables, one per module; importing this registers them all."""

from outlay.storage.directory.tables.access_token import AccessTokenRow
from outlay.storage.directory.tables.api_key import ApiKeyRow
from outlay.storage.directory.tables.audit_entry import AuditEntryRow
from outlay.storage.directory.tables.base import Base
from outlay.storage.directory.tables.directory_revision import DirectoryRevisionRow
from outlay.storage.directory.tables.discovered import DiscoveredRow
from outlay.storage.directory.tables.exchange_rate import ExchangeRateRow
from outlay.storage.directory.tables.group_membership import GroupMembershipRow
from outlay.storage.directory.tables.invitation import InvitationRow
from outlay.storage.directory.tables.member import MemberRow
from outlay.storage.directory.tables.model_mapping import ModelMappingRow
from outlay.storage.directory.tables.organization import OrganizationRow
from outlay.storage.directory.tables.palette_slot import PaletteSlotRow
from outlay.storage.directory.tables.password_link import PasswordLinkRow
from outlay.storage.directory.tables.personal_value import PersonalValueRow
from outlay.storage.directory.tables.price_override import PriceOverrideRow
from outlay.storage.directory.tables.project import ProjectRow
from outlay.storage.directory.tables.reconciliation import ReconciliationRow
from outlay.storage.directory.tables.reprice import RepriceRow
from outlay.storage.directory.tables.row_digest import RowDigestRow
from outlay.storage.directory.tables.scrub import ScrubRow
from outlay.storage.directory.tables.session import SessionRow
from outlay.storage.directory.tables.sign_in_failure import SignInFailureRow
from outlay.storage.directory.tables.span_mark import SpanMarkRow
from outlay.storage.directory.tables.spend_limit import SpendLimitRow
from outlay.storage.directory.tables.sso import SsoRow
from outlay.storage.directory.tables.sso_attempt import SsoAttemptRow
from outlay.storage.directory.tables.sso_identity import SsoIdentityRow
from outlay.storage.directory.tables.upstream import UpstreamRow
from outlay.storage.directory.tables.user_group import UserGroupRow
from outlay.storage.directory.tables.verification import VerificationRow

__all__ = [
    "AccessTokenRow",
    "ApiKeyRow",
    "AuditEntryRow",
    "Base",
    "DirectoryRevisionRow",
    "DiscoveredRow",
    "ExchangeRateRow",
    "GroupMembershipRow",
    "InvitationRow",
    "MemberRow",
    "ModelMappingRow",
    "OrganizationRow",
    "PaletteSlotRow",
    "PasswordLinkRow",
    "PersonalValueRow",
    "PriceOverrideRow",
    "ProjectRow",
    "ReconciliationRow",
    "RepriceRow",
    "RowDigestRow",
    "ScrubRow",
    "SessionRow",
    "SignInFailureRow",
    "SpanMarkRow",
    "SpendLimitRow",
    "SsoAttemptRow",
    "SsoIdentityRow",
    "SsoRow",
    "UpstreamRow",
    "UserGroupRow",
    "VerificationRow",
]
