"""OpenTelemetry traces of Outlay itself, sent over OTLP/HTTP. Needs the extra `tracing`.

The packages are imported only if traces are enabled: otherwise nothing is loaded or run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.kit.tracing import Attributes, Span, Tracer
from outlay.services.directory.own_address import is_configured_address
from outlay.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer as OtelTracer

SERVICE: Final = "outlay"
_INSTALL: Final = "install it with `pip install 'outlay[tracing]'`"


class _OtelSpan(Span):
    def __init__(self, span: "OtelSpan") -> None:
        self._span = span

    @override
    def rename(self, name: str) -> None:
        self._span.update_name(name)

    @override
    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    @override
    def fail(self, description: str) -> None:
        from opentelemetry.trace import StatusCode

        self._span.set_status(StatusCode.ERROR, description)


class _OtelTracer(Tracer):
    def __init__(self, tracer: "OtelTracer") -> None:
        self._tracer = tracer

    @override
    @contextmanager
    def span(
        self, name: str, attributes: Attributes = MappingProxyType({}), *, is_server: bool = False
    ) -> Iterator[Span]:
        from opentelemetry.trace import SpanKind

        with self._tracer.start_as_current_span(
            name,
            kind=SpanKind.SERVER if is_server else SpanKind.INTERNAL,
            attributes=dict(attributes),
            # The message of an exception may contain data that must not leave this machine.
            record_exception=False,
            set_status_on_exception=False,
        ) as found:
            span = _OtelSpan(found)
            try:
                yield span
            except BaseException as error:
                span.fail(type(error).__name__)
                raise


@contextmanager
def sending_traces(settings: Settings) -> Iterator[Tracer | None]:
    """A tracer whose spans are sent to `OUTLAY_TRACES`; None if it is not set.

    Remaining spans are sent at the end. Raises Invalid if it cannot be used.
    """
    url = settings.traces_url
    if not url:
        yield None
        return
    if is_configured_address(settings, url):  # it would trace its own traces
        raise Invalid(
            "OUTLAY_TRACES is the address of this server, which would trace its own traces. Set it "
            "to the address of a collector.",
            code=ErrorCode.TRACES_TO_ITSELF,
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise Invalid(
            f"OUTLAY_TRACES needs the OpenTelemetry SDK: {_INSTALL}.",
            code=ErrorCode.TRACING_MISSING,
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    try:
        yield _OtelTracer(provider.get_tracer(SERVICE))
    finally:
        provider.shutdown()
