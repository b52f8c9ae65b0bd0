"""A module of services has its unit tests in the file of the same name."""

from pathlib import Path
from typing import Final

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SERVICES = ROOT / "src/outlay/services"

ELSEWHERE: Final = {
    "bundle": "unit/services/directory/test_organizations.py",
    # Credentials and identity providers are tested over HTTP, with a test provider.
    "access/api_key_authentication": "integration/test_stale.py",
    "access/accounts": "acceptance/test_entrance.py",
    "access/sessions": "integration/test_directory.py",
    "access/sign_in": "integration/test_directory.py",
    "access/sso": "acceptance/test_sso.py",
    "access/sso_provider": "acceptance/test_sso.py",
    # Questions to the cube are compared with an oracle on real engines.
    "analytics/analytics": "acceptance/test_analytics_oracle.py",
    "analytics/as_of": "acceptance/test_report_pages.py",
    "analytics/breakdowns": "acceptance/test_analytics_oracle.py",
    "analytics/latencies": "acceptance/test_analytics_oracle.py",
    "analytics/own_usage": "acceptance/test_api.py",
    "analytics/data_quality": "acceptance/test_data_quality.py",
    "analytics/exports": "acceptance/test_reports.py",
    "analytics/kinds": "acceptance/test_kinds_and_sessions.py",
    "analytics/profiles": "acceptance/test_activity_oracle.py",
    "analytics/reported_costs": "acceptance/test_reported_costs.py",
    "analytics/usage_tables": "acceptance/test_complete_ranking.py",
    "analytics/users_and_groups": "acceptance/test_activity_oracle.py",
    # Loading and verifying need a ledger and a cube on disk.
    "cube/cube_sums": "integration/test_parts_of_the_cube.py",
    "cube/exact_comparison": "integration/test_verification.py",
    "cube/ledger_scan": "integration/test_verification.py",
    "cube/ledger_sums": "integration/test_verification.py",
    "cube/maintenance": "integration/test_verification.py",
    "cube/projection": "integration/test_projection.py",
    "cube/scan_process": "integration/test_verification.py",
    "cube/verification": "integration/test_verification.py",
    # Digests, audit and erasure are about the bytes on disk.
    "directory/audit_log": "acceptance/test_audit.py",
    "directory/api_keys": "acceptance/test_api.py",
    "directory/discovery": "acceptance/test_discovered.py",
    "directory/issuing": "acceptance/test_issuing.py",
    "directory/named_things": "unit/services/directory/test_projects.py",
    "directory/prices": "integration/test_organization_prices.py",
    "directory/sso": "acceptance/test_sso.py",
    "directory/upstreams": "gateway/test_egress.py",
    "upkeep/backup": "acceptance/test_backup.py",
    "upkeep/erasure": "integration/test_privacy.py",
    "upkeep/retention": "integration/test_privacy.py",
    "upkeep/scrubbing": "integration/test_scrubbing.py",
    # The gateway's services need a running request.
    "gateway/gateway": "gateway/test_transparency.py",
    "gateway/limit_enforcement": "gateway/test_limits.py",
    "gateway/recovery": "integration/test_recovery.py",
    "reconciliation/reconciliations": "acceptance/test_reconciliation.py",
    "recording/duplicates": "acceptance/test_duplicates.py",
    "recording/recorder": "acceptance/test_ingest.py",
    "recording/senders": "acceptance/test_database_away.py",
    "recording/span_deduplication": "acceptance/test_traces.py",
    "recording/usage_pricing": "unit/pricing/test_evidence.py",
    "repricing/offers": "acceptance/test_reprice.py",
    "repricing/preview_job": "integration/test_price_preview.py",
    "repricing/price_lists": "acceptance/test_price_lists.py",
    "repricing/price_preview": "integration/test_price_preview.py",
    "repricing/runs": "acceptance/test_reprice.py",
}
"""Modules that are tested with more around them, and where."""


def test_every_service_has_unit_tests_or_says_where_it_is_tested() -> None:
    modules = {
        str(path.relative_to(SERVICES).with_suffix(""))
        for path in SERVICES.rglob("*.py")
        if path.name != "__init__.py"
    }
    mirrored = {
        str(path.relative_to(HERE).with_suffix("")).replace("test_", "")
        for path in HERE.rglob("test_*.py")
    }

    assert modules - mirrored == ELSEWHERE.keys()
    assert [name for name in ELSEWHERE.values() if not (ROOT / "tests" / name).exists()] == []
    assert mirrored - modules == {"mirror", "authorization"}, "named after no module"
