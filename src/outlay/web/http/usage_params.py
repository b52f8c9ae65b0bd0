"""Parameters of questions about usage, and the resulting questions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Final, Literal

from outlay.domain.actor import Actor
from outlay.domain.comparison_period import Compare, Earlier, earlier_of
from outlay.domain.dimension import OF_CELLS, Dimension, Grouping
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.measure import Rank
from outlay.domain.period import Interval, Period, Preset, choose_interval
from outlay.domain.query import CORE_MEASURES, MAX_TOP, UsageQuery
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.usage_tables import MAX_PAGE_SIZE, UserSort, UserView
from outlay.web.http.parameters import Choice, Day, Direction, Number, Params, Text, Texts
from outlay.web.http.usage_parameter_kinds import Bucket, Filter, Groupings, PresetName, TagFilters
from outlay.wire.json_money import MoneyStyle

_ALTERNATIVES: Final = "Filter, repeatable: values of one filter are combined with OR."
DEFAULT_TOP: Final = 10
Values = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MoneyParams(Params):
    """The format of a JSON answer."""

    money: Annotated[
        MoneyStyle,
        Choice(
            "Amounts as exact decimal numbers, or as the same digits in text.",
            MoneyStyle,
            ErrorCode.UNKNOWN_MONEY,
        ),
    ] = MoneyStyle.NUMBER


@dataclass(frozen=True, kw_only=True)
class PeriodParams(Params):
    """A period: a preset, or the first and the last day."""

    from_date: Annotated[date | None, Day("First local day, instead of `preset`.", name="from")] = (
        None
    )
    to_date: Annotated[date | None, Day("Last local day, inclusive.", name="to")] = None
    preset: Annotated[
        Preset | None,
        PresetName(
            f"A period that moves with the clock: one of {', '.join(Preset)}. Case does not matter "
            "(`24H`, `All`), and `1M` is `30d`; `meta.preset` has the name as it is listed here. "
            f"Without a preset and days: `{Preset.LAST_30_DAYS}`."
        ),
    ] = None
    timezone: Annotated[str | None, Text("IANA name; default: the organization's.")] = None

    def period(
        self, actor: Actor, analytics: Analytics, default: Preset = Preset.LAST_30_DAYS
    ) -> Period:
        """The period; `default` if neither a preset nor a day is given."""
        is_open = self.preset is None and self.from_date is None and self.to_date is None
        return analytics.resolve_period(
            actor.organization_id,
            timezone=self.timezone or actor.timezone,
            preset=default if is_open else self.preset,
            from_date=self.from_date,
            to_date=self.to_date,
        )


@dataclass(frozen=True, kw_only=True)
class UsageParams(PeriodParams):
    """Parameters of a question about usage; endpoints leave out what they do not use."""

    compare: Annotated[
        Compare | None,
        Choice(
            "Adds an earlier period, step by step: `previous` is the calendar predecessor of a "
            "calendar period and the same number of days just before any other, `year` the same "
            "dates a year before.",
            Compare,
            ErrorCode.UNKNOWN_COMPARE,
        ),
    ] = None
    compare_from: Annotated[
        date | None, Day("First local day of that period, with compare=custom.")
    ] = None
    project_id: Annotated[Values, Filter(_ALTERNATIVES, Dimension.PROJECT)] = ()
    api_key_id: Annotated[Values, Filter(_ALTERNATIVES, Dimension.API_KEY)] = ()
    member_id: Annotated[Values, Filter(_ALTERNATIVES, Dimension.MEMBER)] = ()
    user_id: Annotated[Values, Filter(_ALTERNATIVES, Dimension.USER)] = ()
    group_id: Annotated[Values, Filter(_ALTERNATIVES, Dimension.GROUP)] = ()
    model: Annotated[Values, Filter(_ALTERNATIVES, Dimension.MODEL)] = ()
    mapping: Annotated[Values, Filter(_ALTERNATIVES, Dimension.MAPPING)] = ()
    provider: Annotated[Values, Filter(_ALTERNATIVES, Dimension.PROVIDER)] = ()
    app: Annotated[Values, Filter(_ALTERNATIVES, Dimension.APP)] = ()
    end_user: Annotated[Values, Filter(_ALTERNATIVES, Dimension.END_USER)] = ()
    status: Annotated[Values, Filter(_ALTERNATIVES, Dimension.STATUS)] = ()
    tags: Annotated[
        Mapping[Grouping, Values],
        TagFilters(
            "Filter by the values of a registered tag, which is named in place of `key`, "
            "`tag:team=search`; repeatable: values of one are alternatives."
        ),
    ] = field(default_factory=dict)
    group_by: Annotated[
        tuple[Grouping, ...],
        Groupings(
            f"The dimension of the breakdown, `{Dimension.MODEL}` by default; `tag:team` is the "
            "dimension of a registered tag."
        ),
    ] = ()
    bucket: Annotated[
        Interval | Literal["auto"] | None,
        Bucket("The length of a step; `auto`, the default, suits it to the period."),
    ] = None
    top: Annotated[
        int | None,
        Number(
            f"How many entries are named, {DEFAULT_TOP} by default; the rest is Other.", 1, MAX_TOP
        ),
    ] = None
    rank_by: Annotated[
        Rank, Choice("The measure that entries are ranked by.", Rank, ErrorCode.UNKNOWN_RANK_BY)
    ] = Rank.COST

    def filters(self) -> Mapping[Grouping, Values]:
        """The given filters, by dimension."""
        found: dict[Grouping, Values] = {}
        for name, parameter in self.parameters().items():
            if isinstance(parameter, Filter) and (values := getattr(self, name)):
                found[parameter.dimension] = values
        found.update(self.tags)
        return found

    def interval(self, period: Period) -> Interval:
        """The length of a step: as given, or suitable for the period."""
        if self.bucket is None or self.bucket == "auto":
            return choose_interval(period)
        return self.bucket

    def beside(self, period: Period, default: Compare = Compare.NONE) -> Earlier | None:
        """The period to compare with; None for none."""
        if self.compare_from is not None and self.compare is not Compare.CUSTOM:
            raise Invalid("`compareFrom` requires `compare=custom`.", field="compareFrom")
        return earlier_of(period, self.compare or default, self.compare_from)

    def query(
        self,
        actor: Actor,
        analytics: Analytics,
        *,
        default_preset: Preset = Preset.LAST_30_DAYS,
        default_compare: Compare = Compare.NONE,
        group_by: Grouping | None = None,
        levels: int = 1,
    ) -> UsageQuery:
        """The question; `group_by` is the default, `levels` the maximum number of dimensions, one
        or two."""
        period = self.period(actor, analytics, default_preset)
        if len(self.group_by) > levels:
            raise Invalid(
                f"`groupBy` takes at most {levels} dimensions here. "
                "/api/v1/exports/report takes any number.",
                field="groupBy",
            )
        return UsageQuery(
            organization_id=actor.organization_id,
            merges=analytics.merges(actor.organization_id),
            period=period,
            beside=self.beside(period, default_compare),
            measures=CORE_MEASURES,
            interval=self.interval(period),
            group_by=self.group_by[0] if self.group_by else group_by,
            then_by=self.group_by[1] if len(self.group_by) > 1 else None,
            filters=self.filters(),
            top=self.top or DEFAULT_TOP,
            ranks=(self.rank_by,),
        )


FILTERS: Final[Mapping[str, Dimension]] = {
    parameter.name: parameter.dimension
    for parameter in UsageParams.parameters().values()
    if isinstance(parameter, Filter)
}
"""Names of filters → dimensions."""

ONE_OR_TWO: Final = Groupings(
    f"The dimension of the breakdown, or two of {', '.join(OF_CELLS)}; `{Dimension.MODEL}` by "
    "default. `kind`, the kind of usage, cannot be combined; `tag:team` is the dimension of a "
    "registered tag."
)
"""How `groupBy` is read by endpoints with two levels."""

STEPS: Final = ("group_by", "bucket", "top", "rank_by")
COMPARISON: Final = ("compare", "compare_from")


@dataclass(frozen=True, kw_only=True)
class BreakdownParams(UsageParams, without=COMPARISON):
    """A breakdown over time, without a comparison."""


@dataclass(frozen=True, kw_only=True)
class OwnBreakdownParams(BreakdownParams, without=("user_id", "member_id", "group_id")):
    """A breakdown over time of the caller's own usage."""


@dataclass(frozen=True, kw_only=True)
class FilterParams(UsageParams, without=(*COMPARISON, *STEPS)):
    """A period and filters."""


@dataclass(frozen=True, kw_only=True)
class TableParams(FilterParams, MoneyParams):
    """A period and filters, for a JSON answer."""


@dataclass(frozen=True, kw_only=True)
class UserViewParams(Params):
    """The shown part of a table of users."""

    sort: Annotated[
        UserSort, Choice("The column to sort by.", UserSort, ErrorCode.UNKNOWN_SORT)
    ] = UserSort.COST
    is_descending: Annotated[bool, Direction("Ascending or descending.", name="order")] = True
    search: Annotated[str, Text("Part of a name, address or id.")] = ""
    page: Annotated[int, Number("Which page.", 1, 1_000_000)] = 1
    page_size: Annotated[int, Number("Rows per page.", 1, MAX_PAGE_SIZE)] = 50
    selected: Annotated[
        Values, Texts("Ids of users whose totals are requested, on any page; repeatable.")
    ] = ()

    def view(self) -> UserView:
        """The shown part of the table."""
        return UserView(
            sort=self.sort,
            is_descending=self.is_descending,
            search=self.search,
            page=self.page,
            page_size=self.page_size,
            selected=self.selected,
        )


PERIOD: Final = PeriodParams.names()
COMMON: Final = FilterParams.names()
QUERY: Final = BreakdownParams.names()
OWN_QUERY: Final = OwnBreakdownParams.names()
COMPARE: Final = UsageParams.names() - QUERY
CARRIED: Final = PERIOD | COMPARE
"""Parameters that are carried along from page to page; `static/js/navigate.js` has the same
list."""
