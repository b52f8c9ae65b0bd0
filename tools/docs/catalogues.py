"""Reference pages generated from the catalogues of `outlay.domain` and the table of permissions."""

from itertools import groupby

from tools.docs.markdown import code, page, table

from outlay.domain.actor import Plan, Role
from outlay.domain.audit import Action
from outlay.domain.dimension import Dimension
from outlay.domain.error_codes import ErrorCode
from outlay.domain.failure import FAILURES
from outlay.domain.kind import KINDS
from outlay.domain.measure import MEASURES, Rank, Unit
from outlay.domain.meter import METERS
from outlay.domain.policy import POLICY, Rule


def measures_and_dimensions() -> str:
    """Measures, and the dimensions for grouping and filtering."""
    return page(
        "Measures and dimensions",
        "What usage is summed into, and what it can be grouped and filtered by. Both lists are the "
        "catalogues that the API, the exports, the dashboard and the rollups share.",
        "## Measures",
        table(
            ["measure", "unit", "meaning"],
            (
                [
                    code(measure.api_name),
                    "USD" if measure.unit is Unit.PUSD else measure.unit.value,
                    measure.meaning,
                ]
                for measure in MEASURES
            ),
        ),
        "Rankings are ordered by " + ", ".join(code(rank) for rank in Rank) + ".",
        "## Dimensions",
        table(
            ["`groupBy`", "name", "values per request"],
            ([code(dimension), dimension.noun, _values_of(dimension)] for dimension in Dimension),
        ),
        "`tag:KEY` groups by the values of a registered tag: one value per request at most.",
    )


def _values_of(dimension: Dimension) -> str:
    if dimension is Dimension.KIND:
        return "several, disjoint: costs add up to the total"
    if dimension.is_single_valued:
        return "one at most"
    return "several: sums of groups may exceed the total"


def meters_and_kinds() -> str:
    """Billed quantities other than tokens, and the parts of a cost."""
    return page(
        "Meters and kinds of usage",
        "A meter is one kind of billed quantity beyond the six token counts. A kind of usage is "
        "a part that a cost consists of. How both are priced: [prices and meters]"
        "(../concepts/prices-and-meters.md).",
        "## Meters",
        table(
            ["meter", "name", "unit", "one price is for", "part of"],
            (
                [
                    code(meter.name),
                    meter.title,
                    meter.unit.value,
                    f"{meter.unit.priced_per:,} {meter.unit.value}",
                    code(meter.within) if meter.within else "",
                ]
                for meter in METERS.values()
            ),
        ),
        "## Kinds of usage",
        table(
            ["kind", "name", "unit"],
            (
                [code(kind.name), kind.title, kind.unit.value if kind.unit else ""]
                for kind in KINDS.values()
            ),
        ),
    )


def permissions() -> str:
    """Which role, plan and scope each permission requires."""
    return page(
        "Permissions",
        "What each permission requires: a scope of the credential, a role of the member and a "
        "plan of the organization. *own* means that the role has the permission for its own API "
        "keys, requests, tokens and account only. Every page and endpoint declares one permission.",
        table(
            ["permission", "scope", *(role.value for role in Role), "plan"],
            (
                [
                    permission.value,
                    code(rule.scope),
                    *(_right(rule, role) for role in Role),
                    "any" if rule.plans == frozenset(Plan) else " or ".join(sorted(rule.plans)),
                ]
                for permission, rule in POLICY.items()
            ),
        ),
    )


def _right(rule: Rule, role: Role) -> str:
    if role not in rule.roles:
        return ""
    is_limited = role in rule.own and rule.own != frozenset(Role)
    return "own" if is_limited else "yes"


def request_errors() -> str:
    """Why requests fail."""
    return page(
        "Error codes of requests",
        "The gateway records one of these codes in `errorCode` of a request that failed. Other "
        "senders may report codes of their own, which are shown unchanged.",
        table(["`errorCode`", "meaning"], ([code(name), text] for name, text in FAILURES.items())),
    )


def error_codes() -> str:
    """Error codes of the API and of commands."""
    return page(
        "Error codes",
        "Errors of the API are `application/problem+json` (RFC 9457): `code` is stable, for "
        "programs, and `detail` is a sentence for people. Commands print the sentence. What the "
        "gateway records of failed requests: [error codes of requests](request-errors.md).",
        table(["`code`", "meaning"], ([code(each), each.meaning] for each in ErrorCode)),
    )


def audit_actions() -> str:
    """The actions that the audit trail records."""
    subjects = groupby(sorted(Action), key=lambda action: action.partition(".")[0])
    return page(
        "Audit actions",
        "Every change of an organization writes one entry with one of these actions. What an entry "
        "contains and how it is protected: [audit trail](../concepts/audit-trail.md).",
        table(
            ["subject", "actions"],
            (
                [subject.replace("_", " "), ", ".join(code(action) for action in actions)]
                for subject, actions in subjects
            ),
        ),
    )
