"""The installation a command works on: opened here, or reached through the server that has it."""

import http.client
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import quote, urlsplit

import msgspec
import orjson

from outlay.bootstrap import open_installation
from outlay.domain.errors import Invalid, Locked, NotFound, OutlayError, Unavailable
from outlay.domain.organization import operator_of
from outlay.domain.outcome import Outcome
from outlay.domain.reconciliation import Reconciliation
from outlay.domain.report import UsageReport
from outlay.services.bundle import Services, erase_member
from outlay.services.erasure import ErasureReport
from outlay.services.import_target import ImportTarget, import_target
from outlay.services.progress import Progress
from outlay.services.reconciling import BillFile
from outlay.services.server_info import ServerInfo, find_server
from outlay.services.verification import VerifyReport
from outlay.settings import Settings
from outlay.wire.native import render_events


class Installation(Protocol):
    """What commands ask of an installation, wherever it is open."""

    def verify(self) -> Iterator[Progress | VerifyReport]:
        """Prove ledger and cube equal; the last item is the report."""
        ...

    def rebuild(self) -> Iterator[Progress]:
        """Recreate the cube from the ledger."""
        ...

    def import_target(self, organization: str | None, project: str) -> ImportTarget:
        """Where an import goes, created where there is none."""
        ...

    def record(self, organization_id: str, reports: Sequence[UsageReport]) -> list[Outcome]:
        """Store reports; returns once they are on disk."""
        ...

    def erase(self, organization: str | None, who: str) -> ErasureReport:
        """Erase a member of an organization."""
        ...

    def reconcile(self, organization: str | None, bill: BillFile) -> Reconciliation:
        """Compare a bill with what was recorded."""
        ...


class LocalInstallation:
    """The data directory opened by this command."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def verify(self) -> Iterator[Progress | VerifyReport]:
        """Prove ledger and cube equal; the last item is the report."""
        return self._services.maintenance.verify()

    def rebuild(self) -> Iterator[Progress]:
        """Recreate the cube from the ledger."""
        return self._services.maintenance.rebuild()

    def import_target(self, organization: str | None, project: str) -> ImportTarget:
        """Where an import goes, created where there is none."""
        return import_target(self._services.administration, organization, project)

    def record(self, organization_id: str, reports: Sequence[UsageReport]) -> list[Outcome]:
        """Store reports; returns once they are on disk."""
        return self._services.recorder.record(organization_id, reports)

    def erase(self, organization: str | None, who: str) -> ErasureReport:
        """Erase a member of an organization."""
        return erase_member(self._services, organization, who)

    def reconcile(self, organization: str | None, bill: BillFile) -> Reconciliation:
        """Compare a bill with what was recorded."""
        self._services.projection.catch_up()
        found = self._services.administration.organizations.called(organization)
        if found is None:
            raise NotFound("There is no organization yet.")
        return self._services.reconciling.reconcile(operator_of(found), bill)


class RemoteInstallation:
    """The data directory of a server that is running on this machine."""

    def __init__(self, server: ServerInfo) -> None:
        address = urlsplit(server.url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port
        self._token = server.token

    def verify(self) -> Iterator[Progress | VerifyReport]:
        """Prove ledger and cube equal; the last item is the report."""
        for line in self._stream("/operations/verify"):
            if "report" in line:
                yield msgspec.convert(line["report"], VerifyReport)
            else:
                yield msgspec.convert(line["progress"], Progress)

    def rebuild(self) -> Iterator[Progress]:
        """Recreate the cube from the ledger."""
        for line in self._stream("/operations/rebuild"):
            yield msgspec.convert(line["progress"], Progress)

    def import_target(self, organization: str | None, project: str) -> ImportTarget:
        """Where an import goes, created where there is none."""
        body = orjson.dumps({"organization": organization, "project": project})
        answer = self._read(self._send("/operations/target", body))
        return msgspec.convert(answer, ImportTarget)

    def record(self, organization_id: str, reports: Sequence[UsageReport]) -> list[Outcome]:
        """Store reports; returns once they are on disk."""
        path = (
            f"/operations/events?organization={quote(organization_id)}"
            f"&source={quote(reports[0].source)}"
        )
        answer = self._read(self._send(path, render_events(reports)))
        return [Outcome(result["outcome"]) for result in answer["results"]]

    def erase(self, organization: str | None, who: str) -> ErasureReport:
        """Erase a member of an organization."""
        body = orjson.dumps({"organization": organization, "who": who})
        return msgspec.convert(self._read(self._send("/operations/erase", body)), ErasureReport)

    def reconcile(self, organization: str | None, bill: BillFile) -> Reconciliation:
        """Compare a bill with what was recorded."""
        path = f"/operations/reconcile?organization={quote(organization or '')}"
        body = msgspec.json.encode(bill)
        return msgspec.convert(self._read(self._send(path, body)), Reconciliation)

    def _send(self, path: str, body: bytes = b"") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=600)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", path, body, headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise _gone(error) from error

    def _read(self, response: http.client.HTTPResponse) -> dict[str, list[dict[str, str]]]:
        try:
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise _gone(error) from error
        if response.status not in {200, 409}:
            raise _problem(response.status, body)
        answer: dict[str, list[dict[str, str]]] = orjson.loads(body)
        return answer

    def _stream(self, path: str) -> Iterator[dict[str, object]]:
        response = self._send(path)
        if response.status != 200:
            raise _problem(response.status, response.read())
        try:
            for line in response:
                item = orjson.loads(line)
                if "error" in item:
                    raise OutlayError(item["error"]["message"], code=item["error"]["code"])
                yield item
        except (OSError, http.client.HTTPException) as error:
            raise _gone(error) from error


def _gone(error: Exception) -> Unavailable:
    return Unavailable(f"the server stopped answering ({error})", code="server-gone")


def _problem(status: int, body: bytes) -> OutlayError:
    try:
        detail = orjson.loads(body)["detail"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return Unavailable(f"the server answered with status {status}")
    return Invalid(detail) if status < 500 else Unavailable(detail)


@contextmanager
def use_installation(settings: Settings) -> Iterator[Installation]:
    """The installation in the data directory: opened, or through the server that has it open."""
    try:
        with open_installation(settings) as services:
            yield LocalInstallation(services)
    except Locked:
        server = find_server(settings)
        if server is None:
            raise
        yield RemoteInstallation(server)
