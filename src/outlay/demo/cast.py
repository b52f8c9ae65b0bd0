"""The people, models and projects of the demo organization."""

from dataclasses import dataclass
from typing import Final

ORGANIZATION: Final = "Acme Inc."
OWNER: Final = "Dana Whitfield"
EMAIL_DOMAIN: Final = "acme.example"

PEOPLE: Final = (
    OWNER,
    "Priya Raman",
    "Marcus Oyelaran",
    "Lena Fischer",
    "Tomás Herrera",
    "Aiko Tanaka",
    "Jonas Lindqvist",
    "Fatima Zahra Bennani",
    "Ethan Brooks",
    "Mei-Ling Chou",
    "Oluwaseun Adeyemi",
    "Sofia Marchetti",
    "Rahul Deshpande",
    "Claire Dubois",
    "Noah Kessler",
    "Ingrid Solberg",
    "Diego Quispe",
    "Hannah Weiss",
    "Kwame Mensah",
    "Yuki Morita",
    "Olena Kovalenko",
    "Samuel Okafor",
    "Amara Silva",
    "Viktor Petrov",
    "Grace Nakamura",
)
"""25 members; the first is the owner, the next two are admins."""

GROUPS: Final = ("Platform", "Data Science", "Support", "Product", "Growth", "Security")


@dataclass(frozen=True, slots=True)
class Route:
    """A model as the demo requests it."""

    mapping: str
    median_ms: int
    """Median duration of a request."""
    begins: float = 0.0
    """The fraction of the window after which it is first used."""
    caches: bool = False
    reasons: bool = False

    @property
    def provider(self) -> str:
        """The provider of the route."""
        return self.mapping.partition("/")[0]


ROUTES: Final = {
    route.mapping: route
    for route in (
        Route("openai/gpt-5.5", 4_200, begins=0.35, caches=True, reasons=True),
        Route("openai/gpt-5.4-mini", 1_300, caches=True),
        Route("openai/gpt-4o", 2_100),
        Route("openai/text-embedding-3-large", 180),
        Route("anthropic/claude-opus-4-5", 6_800, caches=True, reasons=True),
        Route("anthropic/claude-sonnet-4-5", 3_900, caches=True),
        Route("anthropic/claude-haiku-4-5", 1_100, caches=True),
        Route("google/gemini-2.5-pro", 3_600, reasons=True),
        Route("google/gemini-2.5-flash", 900),
        Route("mistral/mistral-large-latest", 2_400),
        Route("mistral/codestral-latest", 800),
        Route("deepseek/deepseek-reasoner", 7_500, reasons=True),
    )
}
"""12 models of 5 providers."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The typical traffic of one project."""

    project: str
    requests_per_day: int
    models: dict[str, float]
    """Model id → weight."""
    apps: dict[str, float]
    input_tokens: int
    """Median of the input."""
    output_tokens: int
    keys: int
    is_human: bool
    """Whether it follows office hours and weekends, unlike a machine."""


WORKLOADS: Final = (
    Workload(
        "Production API",
        820,
        {
            "openai/gpt-5.5": 22,
            "openai/gpt-5.4-mini": 34,
            "anthropic/claude-sonnet-4-5": 26,
            "google/gemini-2.5-flash": 18,
        },
        {"acme-web": 70, "acme-mobile": 30},
        input_tokens=3_800,
        output_tokens=620,
        keys=9,
        is_human=True,
    ),
    Workload(
        "Internal Chatbot",
        420,
        {
            "openai/gpt-4o": 30,
            "openai/gpt-5.5": 25,
            "anthropic/claude-sonnet-4-5": 25,
            "google/gemini-2.5-pro": 20,
        },
        {"slack-bot": 62, "acme-desk": 38},
        input_tokens=2_600,
        output_tokens=540,
        keys=6,
        is_human=True,
    ),
    Workload(
        "Data Pipeline",
        560,
        {
            "openai/text-embedding-3-large": 48,
            "google/gemini-2.5-flash": 26,
            "deepseek/deepseek-reasoner": 14,
            "mistral/mistral-large-latest": 12,
        },
        {"nightly-etl": 80, "enrichment-worker": 20},
        input_tokens=9_500,
        output_tokens=420,
        keys=6,
        is_human=False,
    ),
    Workload(
        "Support Copilot",
        380,
        {
            "anthropic/claude-haiku-4-5": 46,
            "anthropic/claude-sonnet-4-5": 30,
            "openai/gpt-5.4-mini": 24,
        },
        {"helpdesk-sidebar": 85, "email-triage": 15},
        input_tokens=5_200,
        output_tokens=480,
        keys=6,
        is_human=True,
    ),
    Workload(
        "Code Review Bot",
        260,
        {
            "anthropic/claude-opus-4-5": 52,
            "mistral/codestral-latest": 28,
            "openai/gpt-5.5": 20,
        },
        {"ci-review": 64, "claude-code": 36},
        input_tokens=18_000,
        output_tokens=1_100,
        keys=8,
        is_human=True,
    ),
    Workload(
        "Staging",
        160,
        {
            "openai/gpt-5.4-mini": 40,
            "google/gemini-2.5-flash": 25,
            "openai/gpt-4o": 20,
            "anthropic/claude-haiku-4-5": 15,
        },
        {"acme-web": 55, "load-test": 45},
        input_tokens=2_200,
        output_tokens=380,
        keys=5,
        is_human=True,
    ),
)
"""Six projects, 40 keys."""

KEY_NAMES: Final = (
    "backend",
    "worker",
    "ci",
    "laptop",
    "batch",
    "canary",
    "notebook",
    "mobile",
    "edge",
)
