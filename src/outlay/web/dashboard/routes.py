"""All pages of the dashboard."""

from outlay.web.dashboard import choices, command_palette, static_files
from outlay.web.dashboard.pages import (
    audit_trail,
    complete_ranking,
    entrance,
    key_statistics,
    login,
    members,
    monitoring,
    monthly_report,
    my_usage,
    organization_analytics,
    project,
    project_keys,
    reconciliation,
    reported_costs,
    repricing,
    requests,
    settings,
    user,
    users_analytics,
    users_and_groups,
)
from outlay.web.http.routes import Router

router = Router(include_in_schema=False)
for module in (
    static_files,
    login,
    choices,
    command_palette,
    entrance,
    organization_analytics,
    complete_ranking,
    project,
    project_keys,
    key_statistics,
    members,
    user,
    users_and_groups,
    monitoring,
    users_analytics,
    monthly_report,
    reconciliation,
    reported_costs,
    my_usage,
    requests,
    audit_trail,
    settings,
    repricing,
):
    router.include_router(module.router)
