"""All pages of the dashboard."""

from fastapi import APIRouter
from starlette.responses import RedirectResponse

from outlay.web.dashboard import login, organization_analytics, static_files
from outlay.web.dashboard.login import HOME

router = APIRouter(include_in_schema=False)
router.include_router(static_files.router)
router.include_router(login.router)
router.include_router(organization_analytics.router)


@router.get("/")
def get_root() -> RedirectResponse:
    """The first page."""
    return RedirectResponse(HOME, 303)
