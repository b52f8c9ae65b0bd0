"""The installation that a command works on: opened directly, or through the server that uses it."""

import http.client
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import msgspec
import orjson

from outlay.bootstrap.installation import open_installation
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid, Locked, OutlayError, Unavailable
from outlay.domain.ids import OrganizationId
from outlay.domain.outcome import Outcome
from outlay.domain.reconciliation import Reconciliation
from outlay.domain.repricing import Reprice
from outlay.domain.usage_report import UsageReport
from outlay.domain.verification import VerifyReport
from outlay.kit.progress import Progress
from outlay.services.bundle import Services, erase_member, operator_in
from outlay.services.import_target import ImportTarget, import_target
from outlay.services.reconciliation.bills import BillFile
from outlay.services.repricing.orders import RepriceOrder
from outlay.services.server_info import ServerInfo, find_server
from outlay.services.upkeep.erasure import ErasureReport
from outlay.settings import Settings
from outlay.wire.native import render_events
from outlay.wire.verification import parse_report


class Installation(Protocol):
    """The operations that commands need."""

    def verify(self) -> Iterator[Progress | VerifyReport]:
        """Verify that ledger and cube are equal; the last item is the report."""
        ...

    def rebuild(self) -> Iterator[Progress]:
        """Recreate the cube from the ledger."""
        ...

    def import_target(self, organization: str | None, project: str) -> ImportTarget:
        """The target of an import, created if necessary."""
        ...

    def record(
        self, organization_id: OrganizationId, reports: Sequence[UsageReport]
    ) -> list[Outcome]:
        """Store reports; returns once they are on disk."""
        ...

    def erase(self, organization: str | None, who: str) -> ErasureReport:
        """Erase a member of an organization."""
        ...

    def reconcile(self, organization: str | None, bill: BillFile) -> Reconciliation:
        """Compare a bill with the recorded usage."""
        ...

    def reprice(self, order: RepriceOrder) -> Reprice:
        """Reprice requests, or preview that."""
        ...


class LocalInstallation:
    """The data directory opened by this process."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def verify(self) -> Iterator[Progress | VerifyReport]:
        """Verify that ledger and cube are equal; the last item is the report."""
        return self._services.maintenance.verify()

    def rebuild(self) -> Iterator[Progress]:
        """Recreate the cube from the ledger."""
        return self._services.maintenance.rebuild()

    def import_target(self, organization: str | None, project: str) -> ImportTarget:
        """The target of an import, created if necessary."""
        return import_target(self._services.administration, organization, project)

    def record(
        self, organization_id: OrganizationId, reports: Sequence[UsageReport]
    ) -> list[Outcome]:
        """Store reports; returns once they are on disk."""
        return self._services.recorder.record(organization_id, reports)

    def erase(self, organization: str | None, who: str) -> ErasureReport:
        """Erase a member of an organization."""
        return erase_member(self._services, organization, who)

    def reconcile(self, organization: str | None, bill: BillFile) -> Reconciliation:
        """Compare a bill with the recorded usage."""
        self._services.projection.catch_up()
        return self._services.reconciling.reconcile(operator_in(self._services, organization), bill)

    def reprice(self, order: RepriceOrder) -> Reprice:
        """Reprice requests, or preview that."""
        operator = operator_in(self._services, order.organization)
        return self._services.reprices.carry_out(operator, order)


class RemoteInstallation:
    """The data directory of a running server on this machine."""

    def __init__(self, server: ServerInfo) -> None:
        address = urlsplit(server.url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port
        self._token = server.token

    def verify(self) -> Iterator[Progress | VerifyReport]:
        """Verify that ledger and cube are equal; the last item is the report."""
        for line in self._stream("/api/v1/operations/verify"):
            if "done" in line:
                yield parse_report(line["done"])
            else:
                yield msgspec.convert(line["progress"], Progress)

    def rebuild(self) -> Iterator[Progress]:
        """Recreate the cube from the ledger."""
        for line in self._stream("/api/v1/operations/rebuild"):
            if "progress" in line:
                yield msgspec.convert(line["progress"], Progress)

    def import_target(self, organization: str | None, project: str) -> ImportTarget:
        """The target of an import, created if necessary."""
        body = orjson.dumps({"organization": organization, "project": project})
        answer = self._read("/api/v1/operations/target", body)
        return msgspec.convert(answer, ImportTarget)

    def record(
        self, organization_id: OrganizationId, reports: Sequence[UsageReport]
    ) -> list[Outcome]:
        """Store reports; returns once they are on disk."""
        path = (
            f"/api/v1/operations/events?organization={quote(organization_id)}"
            f"&source={quote(reports[0].source)}"
        )
        answer = self._read(path, render_events(reports))
        return [Outcome(result["outcome"]) for result in answer["results"]]

    def erase(self, organization: str | None, who: str) -> ErasureReport:
        """Erase a member of an organization."""
        body = orjson.dumps({"organization": organization, "who": who})
        return msgspec.convert(self._read("/api/v1/operations/erase", body), ErasureReport)

    def reconcile(self, organization: str | None, bill: BillFile) -> Reconciliation:
        """Compare a bill with the recorded usage."""
        path = f"/api/v1/operations/reconcile?organization={quote(organization or '')}"
        body = msgspec.json.encode(bill)
        return msgspec.convert(self._read(path, body), Reconciliation)

    def reprice(self, order: RepriceOrder) -> Reprice:
        """Reprice requests, or preview that."""
        body = msgspec.json.encode(order)
        return msgspec.convert(self._read("/api/v1/operations/reprice", body), Reprice)

    @contextmanager
    def _send(self, path: str, body: bytes = b"") -> Iterator[http.client.HTTPResponse]:
        """The response to a request, to be read inside the block."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=600)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        with closing(connection):
            try:
                connection.connect()
            except OSError as error:
                raise _gone(error) from error
            try:
                connection.request("POST", path, body, headers)
                yield connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise _broken_off(f": {error}") from error

    def _read(self, path: str, body: bytes) -> dict[str, list[dict[str, str]]]:
        with self._send(path, body) as response:
            body = response.read()
        if response.status not in {200, 409}:
            raise _problem(response.status, body)
        answer: dict[str, list[dict[str, str]]] = orjson.loads(body)
        return answer

    def _stream(self, path: str) -> Iterator[dict[str, object]]:
        """The lines of a response up to the one with `done`."""
        item: dict[str, Any] = {}
        with self._send(path) as response:
            if response.status != 200:
                raise _problem(response.status, response.read())
            for line in response:
                item = orjson.loads(line)
                if "error" in item:
                    raise OutlayError(item["error"]["message"], code=item["error"]["code"])
                yield item
        if "done" not in item:
            raise _broken_off()


def _gone(error: Exception) -> Unavailable:
    return Unavailable(f"The server is unreachable ({error}).", code=ErrorCode.SERVER_GONE)


def _broken_off(why: str = "") -> Unavailable:
    return Unavailable(
        f"The connection to the server was lost before the command finished{why}. The command may "
        "still be running there; see the server's log.",
        code=ErrorCode.BROKEN_OFF,
    )


def _problem(status: int, body: bytes) -> OutlayError:
    try:
        problem = orjson.loads(body)
        detail = problem["detail"]
        code = ErrorCode.read(problem["code"], ErrorCode.ERROR)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return Unavailable(f"The server returned status {status}.", code=ErrorCode.BROKEN_OFF)
    is_wrong = status < 500 and code is not ErrorCode.BUSY
    return Invalid(detail, code=code) if is_wrong else Unavailable(detail, code=code)


@contextmanager
def use_installation(settings: Settings) -> Iterator[Installation]:
    """The installation in the data directory: opened, or through the server that uses it."""
    try:
        with open_installation(settings) as services:
            yield LocalInstallation(services)
    except Locked:
        server = find_server(settings)
        if server is None:
            raise
        yield RemoteInstallation(server)
