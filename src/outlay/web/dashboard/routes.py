"""All pages of the dashboard."""

from outlay.web.dashboard import (
    audit,
    choices,
    complete_ranking,
    entrance,
    key_statistics,
    login,
    members,
    monitoring,
    my_usage,
    organization_analytics,
    palette,
    project,
    project_keys,
    reconciliation,
    report,
    reported_costs,
    repricing,
    requests,
    settings,
    static_files,
    user,
    users_analytics,
    users_and_groups,
)
from outlay.web.http.routes import Router

router = Router(include_in_schema=False)
router.include_router(static_files.router)
router.include_router(login.router)
router.include_router(choices.router)
router.include_router(palette.router)
router.include_router(entrance.router)
router.include_router(organization_analytics.router)
router.include_router(complete_ranking.router)
router.include_router(project.router)
router.include_router(project_keys.router)
router.include_router(key_statistics.router)
router.include_router(members.router)
router.include_router(user.router)
router.include_router(users_and_groups.router)
router.include_router(monitoring.router)
router.include_router(users_analytics.router)
router.include_router(report.router)
router.include_router(reconciliation.router)
router.include_router(reported_costs.router)
router.include_router(my_usage.router)
router.include_router(requests.router)
router.include_router(audit.router)
router.include_router(settings.router)
router.include_router(repricing.router)
