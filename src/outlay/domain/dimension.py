"""What usage can be grouped and filtered by: one catalogue for API, SQL, pages and documents."""

from enum import StrEnum


class Dimension(StrEnum):
    """A dimension; its value is the word used in the API."""

    MODEL = "model"
    MAPPING = "mapping"
    PROVIDER = "provider"
    PROJECT = "project"
    API_KEY = "apiKey"
    MEMBER = "member"
    USER = "user"
    GROUP = "group"
    APP = "app"
    END_USER = "endUser"
    STATUS = "status"

    @property
    def column(self) -> str:
        """The rollup column that holds its values; for GROUP, the column of the group set."""
        return _COLUMNS[self]

    @property
    def noun(self) -> str:
        """Its name in sentences and headings."""
        return _NOUNS[self]

    @property
    def plural(self) -> str:
        """The same of several."""
        return f"{self.noun}{'es' if self is Dimension.STATUS else 's'}"

    @property
    def is_single_valued(self) -> bool:
        """Whether each event has at most one value, so that the parts sum to the total."""
        return self is not Dimension.GROUP


_COLUMNS = {
    Dimension.MODEL: "model",
    Dimension.MAPPING: "mapping",
    Dimension.PROVIDER: "provider",
    Dimension.PROJECT: "project_id",
    Dimension.API_KEY: "api_key_id",
    Dimension.MEMBER: "member_id",
    Dimension.USER: "user_id",
    Dimension.GROUP: "groups",
    Dimension.APP: "app",
    Dimension.END_USER: "end_user",
    Dimension.STATUS: "status",
}

_NOUNS = {
    Dimension.MODEL: "model",
    Dimension.MAPPING: "mapping",
    Dimension.PROVIDER: "provider",
    Dimension.PROJECT: "project",
    Dimension.API_KEY: "API key",
    Dimension.MEMBER: "member",
    Dimension.USER: "user",
    Dimension.GROUP: "user group",
    Dimension.APP: "app",
    Dimension.END_USER: "end user",
    Dimension.STATUS: "status",
}
