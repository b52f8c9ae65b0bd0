"""Tables as files: parameters, headers and body."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Annotated, Any, Final

from starlette.responses import Response, StreamingResponse

from outlay.domain.error_codes import ErrorCode
from outlay.domain.period import Period
from outlay.services.analytics.exports import ReportFile, ReportFormat
from outlay.web.http.parameters import Choice, Word
from outlay.web.http.usage_params import MoneyParams
from outlay.wire.json_money import dump_json
from outlay.wire.tables.table import FileStyle

NO_RANGES: Final = {"Accept-Ranges": "none"}
"""Tools that check with HEAD whether ranges are supported then read the file as a whole."""
FILE_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A file. `Repr-Digest` is the digest of the whole file (RFC 9530), "
        "`Outlay-Next-Cursor` the cursor of the next page and, with `trailer=none`, "
        "`Outlay-Trailer` the trailer as JSON.",
        "content": {
            kind.media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
            for kind in ReportFormat
        },
    }
}
"""The description of such answers in OpenAPI."""


@dataclass(frozen=True, kw_only=True)
class FileParams(MoneyParams):
    """Parameters for the format of a file."""

    format: Annotated[
        ReportFormat, Choice("The format of the file.", ReportFormat, ErrorCode.UNKNOWN_FORMAT)
    ] = ReportFormat.CSV
    trailer: Annotated[
        str,
        Word(
            "Whether the file ends with its trailer; without one it is in `Outlay-Trailer`.",
            ("last", "none"),
        ),
    ] = "last"

    @property
    def style(self) -> FileStyle:
        """The style of the file, in any format."""
        return FileStyle(money=self.money, has_trailer=self.trailer == "last")


def headers_of_file(what: str, asked: FileParams, period: Period) -> Response:
    """The answer to HEAD: the question is checked, but no file is written."""
    return Response(
        headers=_file_headers(what, asked.format, period), media_type=asked.format.media_type
    )


def file_answer(written: ReportFile, what: str, asked: FileParams) -> StreamingResponse:
    """A written table as a download."""
    headers = {
        **_file_headers(what, asked.format, written.period),
        "Content-Length": str(written.size),
        # The digest covers the sent bytes, so they must not be compressed in transit.
        "Content-Encoding": "identity",
        "Repr-Digest": f"sha-256=:{b64encode(written.digest).decode()}:",
        "Outlay-Row-Count": str(written.trailer["rowCount"]),
        "Outlay-Rows-Sha256": str(written.trailer["sha256"]),
    }
    if written.following:
        headers["Outlay-Next-Cursor"] = written.following
    if not asked.style.has_trailer:
        headers["Outlay-Trailer"] = dump_json(written.trailer, asked.money).decode()
    return StreamingResponse(
        _pieces(written.file), media_type=asked.format.media_type, headers=headers
    )


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(1 << 16):
            yield piece


def _file_headers(what: str, file_format: ReportFormat, period: Period) -> dict[str, str]:
    """Headers that are known before the file is written."""
    name = f"outlay-{what}-{period.from_date}-{period.to_date}.{file_format}"
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        **NO_RANGES,
    }
