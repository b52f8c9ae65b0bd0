"""Error codes: stable, for programs, each with the sentence that documentation shows."""

from enum import StrEnum
from typing import Self


class ErrorCode(StrEnum):
    """An error code; `meaning` explains it in one sentence."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        """A code with its meaning."""
        code = str.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    @classmethod
    def read(cls, text: str, otherwise: "ErrorCode") -> "ErrorCode":
        """The code with this text, or `otherwise` if there is none."""
        try:
            return cls(text)
        except ValueError:
            return otherwise

    # The default code of each error class.
    ERROR = "error", "The request failed for a reason without a code of its own."
    INVALID = "invalid", "The request is wrong; `field` names the parameter or field at fault."
    UNAUTHENTICATED = "unauthenticated", "The credential is missing, unknown, expired or revoked."
    NOT_PERMITTED = "not-permitted", "The credential does not allow this."
    NOT_FOUND = "not-found", "The object does not exist, or it belongs to another organization."
    CONFLICT = "conflict", "The request contradicts what is already stored."
    SPEND_LIMIT_REACHED = (
        "spend-limit-reached",
        "A spend limit has too little left for the request.",
    )
    UNAVAILABLE = "unavailable", "The request cannot be served now; try again later."
    TOO_MANY_ATTEMPTS = "too-many-attempts", "There were too many failed attempts to sign in."
    DAMAGED = "damaged", "Stored data does not match its checksum."
    LOCKED = "locked", "Another process has the data directory open."
    INTERNAL = "internal", "The server had an internal error; see its log for details."

    # Authentication and authorization.
    SCOPE_REQUIRED = "scope-required", "The access token lacks a scope."
    PLAN_REQUIRED = "plan-required", "The organization's plan does not include this."
    ROLE_REQUIRED = "role-required", "The member's role does not include this."
    SCOPE_EXCEEDED = "scope-exceeded", "An access token cannot have more scopes than its creator."
    CROSS_SITE = "cross-site", "A browser sent the request from another site."
    SSO_REFUSED = "sso-refused", "The single sign-on attempt was refused; start again."
    SSO_UNKNOWN = "sso-unknown", "The identity provider's user is not a member here."
    SSO_UNAVAILABLE = "sso-unavailable", "The identity provider could not be used."
    INVALID_API_KEY = "invalid-api-key", "The API key is missing, unknown, expired or revoked."

    # Requests to the API.
    BAD_REQUEST = "bad-request", "The HTTP request is malformed."
    METHOD_NOT_ALLOWED = "method-not-allowed", "The path does not support this HTTP method."
    UNKNOWN_PATH = "unknown-path", "The gateway does not serve this path."
    UPGRADE_REQUIRED = "upgrade-required", "The gateway speaks HTTP/1.1 only, not WebSockets."
    UNKNOWN_PARAMETER = "unknown-parameter", "The endpoint does not have this query parameter."
    UNKNOWN_PRESET = "unknown-preset", "`preset` is not one of the allowed values."
    UNKNOWN_GROUP_BY = "unknown-groupby", "`groupBy` is not one of the allowed values."
    UNKNOWN_BUCKET = "unknown-bucket", "`bucket` is not one of the allowed values."
    UNKNOWN_RANK_BY = "unknown-rankby", "`rankBy` is not one of the allowed values."
    UNKNOWN_STATUS = "unknown-status", "`status` is not one of the allowed values."
    UNKNOWN_SORT = "unknown-sort", "`sort` is not one of the allowed values."
    UNKNOWN_COMPARE = "unknown-compare", "`compare` is not one of the allowed values."
    UNKNOWN_COST_SOURCE = "unknown-costsource", "`costSource` is not one of the allowed values."
    UNKNOWN_USAGE_SOURCE = "unknown-usagesource", "`usageSource` is not one of the allowed values."
    UNKNOWN_MONEY = "unknown-money", "`money` is not one of the allowed values."
    UNKNOWN_METRIC = "unknown-metric", "`metric` is not one of the allowed values."
    UNKNOWN_KIND = "unknown-kind", "`kind` is not one of the allowed values."
    UNKNOWN_DENSITY = "unknown-density", "`density` is not one of the allowed values."
    UNKNOWN_VIEW = "unknown-view", "`view` is not one of the allowed values."
    UNKNOWN_TIMEZONE = "unknown-timezone", "The time zone is not an IANA name."
    INVALID_DATE = "invalid-date", "A date is not written as YYYY-MM-DD."
    REVERSED_RANGE = "reversed-range", "`from` is after `to`."
    RANGE_OUT_OF_BOUNDS = "range-out-of-bounds", "A date is earlier or later than is supported."
    RANGE_TOO_LONG = "range-too-long", "The range has too many days."
    TOO_MANY_STEPS = "too-many-steps", "The range has too many steps; use a larger `bucket`."
    TOO_MANY_ROWS = "too-many-rows", "The answer has too many rows; narrow it or use its cursor."
    PERIOD_TOO_WIDE = "period-too-wide", "The period has too many requests for this query."
    SNAPSHOT_GONE = "snapshot-gone", "The cursor's data is gone; start again without a cursor."
    BODY_TOO_LARGE = "body-too-large", "The body is larger than the endpoint reads."
    ENCODED_BODY = "encoded-body", "The body's Content-Encoding is not supported here."
    MALFORMED_GZIP = "malformed-gzip", "The body is not valid gzip."
    UNKNOWN_MEDIA_TYPE = "unknown-media-type", "The body's Content-Type is not supported here."
    MALFORMED_JSON = "malformed-json", "The body is not valid JSON."
    MALFORMED_PROTOBUF = "malformed-protobuf", "The body is not a valid protobuf message."
    INVALID_BODY = "invalid-body", "The body has the wrong structure."
    DUPLICATE_MEMBER = "duplicate-member", "The body contains a field twice."

    # Reported usage and imported files.
    INVALID_EVENT = "invalid-event", "A usage event is wrong; `field` names its index and field."
    INVALID_SPAN = "invalid-span", "A span of an OTLP trace request is wrong."
    EVENT_TOO_OLD = "event-too-old", "The event's time is before any supported date."
    EVENT_IN_FUTURE = "event-in-future", "The event's time is in the future."
    COST_TOO_LARGE = "cost-too-large", "The event would cost more than the maximum for one event."
    UNREADABLE_FILE = "unreadable-file", "The file cannot be opened."
    EMPTY_FILE = "empty-file", "The file has no rows, or lacks the required costs."
    MALFORMED_FILE = "malformed-file", "The file is not in the expected format."
    MALFORMED_ROW = "malformed-row", "A row of the file has a wrong value."
    MALFORMED_MAPPING = "malformed-mapping", "The mapping file is wrong."
    UNKNOWN_FORMAT = "unknown-format", "The file's format is not known or cannot be detected."
    UNKNOWN_CURRENCY = "unknown-currency", "An amount's currency has no exchange rate."

    # Requests to the gateway.
    MODEL_REQUIRED = "model-required", "The request does not name a model."
    MODEL_NOT_FOUND = "model-not-found", "No upstream is known for the model."
    MODEL_UNPRICED = "model-unpriced", "A spend limit applies and the model has no price."
    NO_UPSTREAM = "no-upstream", "The organization has no upstream."
    LOOP_DETECTED = "loop-detected", "An upstream leads back to this gateway."
    SPENDING_UNKNOWN = (
        "spending-unknown",
        "The amount spent against a limit is temporarily unknown.",
    )

    # The organization's settings.
    NAME_TAKEN = "name-taken", "The name is already in use."
    SLUG_TAKEN = "slug-taken", "The slug is already in use."
    LAST_OWNER = "last-owner", "The organization's last owner cannot be removed or demoted."
    REVOKED_ALREADY = "revoked-already", "The key or access token is already revoked."
    SECRET_REQUIRED = "secret-required", "The change requires entering the secret again."
    SECRET_SEALED = "secret-sealed", "A stored secret cannot be decrypted with the master key."
    OWN_ADDRESS = "own-address", "The base URL is this gateway's own address."
    TOO_MANY_TAGS = "too-many-tags", "The organization has the maximum number of registered tags."
    INVALID_TAG_KEY = "invalid-tag-key", "The key of the tag is malformed."
    EXCHANGE_RATE_NEEDED = "exchange-rate-needed", "A price depends on the exchange rate."
    INVALID_PRICES = "invalid-prices", "A price, or a file of prices, is wrong."
    INVALID_PRICE_LIST = "invalid-price-list", "The price list cannot be read or used."
    DOUBTFUL_LIST = "doubtful-list", "The new price list looks wrong; accept it explicitly."
    PRICE_LIST_DAMAGED = "price-list-damaged", "The stored price list is missing or was changed."
    ORGANIZATION_REQUIRED = "organization-required", "The organization must be named."
    SET_UP_ALREADY = "set-up-already", "The installation is already set up."

    # Amendments and background work.
    BUSY = "busy", "Other work of this kind is running; try again when it has ended."
    STOPPED = "stopped", "The work was stopped before it was complete."
    PREVIEW_TOO_LARGE = "preview-too-large", "The preview has too many requests to price in time."
    ALREADY_REVERTED = "already-reverted", "The repricing run was already reverted."
    STILL_RUNNING = "still-running", "The repricing run is still running."
    AMENDED_MEANWHILE = "amended-meanwhile", "Some requests were amended in the meantime."
    NOT_ALIKE = "not-alike", "The two requests are not reports of the same request."
    NOT_COUNTED = "not-counted", "The request is not counted, so it cannot be amended."
    ERASED = "erased", "A member was erased during the backup; start again."
    REWRITTEN = "rewritten", "Rows changed while they were compared; verify again."
    SCAN_ENDED = "scan-ended", "A process that read the ledger ended early."
    SCAN_FAILED = "scan-failed", "A process that read the ledger failed."
    STOPPING = "stopping", "The process is shutting down."
    SHUTTING_DOWN = "shutting-down", "The server is shutting down."
    SERVER_GONE = "server-gone", "The command cannot reach the running server."
    BROKEN_OFF = "broken-off", "The server ended the command's connection early."

    # Stores.
    OVERLOADED = "overloaded", "Too many requests are waiting; try again in a moment."
    LEDGER_UNAVAILABLE = "ledger-unavailable", "The ledger cannot write now."
    LEDGER_FAILED = "ledger-failed", "The ledger failed and accepts nothing until a restart."
    LEDGER_CHECKSUM = "ledger-checksum", "A batch of the ledger does not match its checksum."
    LEDGER_TAIL = "ledger-tail", "The end of the ledger is missing."
    LEDGER_GAP = "ledger-gap", "The ledger ends before the cube, which must be rebuilt."
    LEDGER_TOO_NEW = "ledger-too-new", "A newer version of Outlay wrote the ledger."
    LEDGER_TOO_OLD = "ledger-too-old", "This version of Outlay cannot upgrade the ledger."
    RESCUE_CHECKSUM = "rescue-checksum", "A line of the rescue file was changed."
    JOURNAL_FULL = "journal-full", "The database is unreachable and the local buffer is full."
    JOURNAL_FAILED = "journal-failed", "The database is unreachable and the buffer cannot write."
    CUBE_AWAY = "cube-away", "The cube is unreachable."
    CUBE_BUSY = "cube-busy", "The query needs more memory than is free."
    CUBE_MISMATCH = "cube-mismatch", "The cube does not belong to this ledger or version."
    CUBE_UNUSABLE = "cube-unusable", "The cube's file cannot be used."
    DATABASE_AWAY = "database-away", "The database is unreachable."
    DATABASE_BUSY = "database-busy", "The database is busy; try again in a moment."
    DATABASE_DAMAGED = "database-damaged", "The database file is damaged."
    DATABASE_GONE = "database-gone", "A database file of the installation is missing."
    DATABASE_READ_ONLY = "database-read-only", "The database file is read-only."
    DATABASE_UNOPENABLE = "database-unopenable", "The database file cannot be opened."
    DATABASE_UNSAFE = "database-unsafe", "PostgreSQL's settings could lose acknowledged events."
    DIRECTORY_DAMAGED = "directory-damaged", "A row of the directory was changed from outside."
    DIRECTORY_TOO_NEW = "directory-too-new", "A newer version of Outlay wrote the directory."
    SQLITE_AFFECTED = "sqlite-affected", "This version of SQLite can corrupt its log."
    DISK_FULL = "disk-full", "The disk is full."
    OUT_OF_FILES = "out-of-files", "The server has no file descriptors left."
    OUT_OF_MEMORY = "out-of-memory", "The database ran out of memory."

    # Installation.
    SETTINGS = "settings", "An environment variable or settings file is wrong."
    TRACING_MISSING = "tracing-missing", "The OpenTelemetry SDK is not installed."
    TRACES_TO_ITSELF = "traces-to-itself", "Traces would be sent to the server that makes them."
    DATA_UNWRITABLE = "data-unwritable", "The data directory is not writable."
    NO_INSTALLATION = "no-installation", "The data directory has no installation."
    MOVED = "moved", "The installation was moved to another database."
    AUDIT_KEY = "audit-key", "The audit key is missing or malformed."
    MASTER_KEY = "master-key", "The master key is missing or malformed."
    DRIVER_MISSING = "driver-missing", "The database's driver is not installed."
    WORKERS_NEED_POSTGRES = "workers-need-postgres", "Several workers require PostgreSQL."
    BACKUP_DAMAGED = "backup-damaged", "The backup is incomplete or was changed."
    BACKUP_VERSION = "backup-version", "Another version of Outlay wrote the backup."
    BACKUP_NO_ROOM = "backup-no-room", "The disk has no room for a copy before the upgrade."
    RESTORE_INTERRUPTED = "restore-interrupted", "An earlier restore was interrupted."
    NOT_EMPTY = "not-empty", "The target of a restore is not empty."
    ENGINES_DIFFER = "engines-differ", "The copy in another database differs from the original."
