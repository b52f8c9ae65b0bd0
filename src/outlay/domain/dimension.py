"""The catalogue of dimensions that usage is grouped and filtered by."""

from enum import StrEnum

from outlay.domain.tag import Tag


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
    KIND = "kind"
    """The kind of usage: a part of a request, so it is not a column of the rollups."""

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
        """The plural of the noun."""
        return _PLURALS.get(self, f"{self.noun}s")

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

_PLURALS = {Dimension.STATUS: "statuses", Dimension.KIND: "kinds of usage"}

OF_CELLS = tuple(dimension for dimension in Dimension if dimension is not Dimension.KIND)
"""Dimensions that a request has values of: these can be filtered and combined with each other."""

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
    Dimension.KIND: "kind of usage",
}

Grouping = Dimension | Tag
"""What usage is grouped and filtered by: a dimension of the catalogue, or the tags of a key."""
