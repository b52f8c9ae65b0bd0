"""The signing key of the audit trail and the master key of stored secrets."""

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, Invalid
from outlay.kit.sealing import Sealer, create_key, parse_key, read_key
from outlay.settings import Settings
from outlay.storage.checkpoints import CheckpointFile
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.sso import find_sealed_sso
from outlay.storage.directory.upstreams import find_sealed


def open_checkpoints(settings: Settings) -> CheckpointFile:
    """The file of signed checkpoints, with the signing key of the settings or the data folder.

    The key is created if nothing has been signed yet. Raises Damaged if it is missing, Invalid if
    it is malformed.
    """
    path = settings.checkpoints_path
    try:
        if settings.audit_key:
            return CheckpointFile(path, parse_key(settings.audit_key))
        key = read_key(settings.audit_key_path)
    except ValueError as error:
        raise Invalid(f"The audit key is malformed: {error}.", code=ErrorCode.AUDIT_KEY) from error
    if key is None:
        if path.exists() and path.stat().st_size:
            raise Damaged(
                f"{settings.audit_key_path} is missing or empty, but the audit trail is signed "
                "with that key. Restore the file or set OUTLAY_AUDIT_KEY.",
                code=ErrorCode.AUDIT_KEY,
            )
        key = create_key(settings.audit_key_path)
    return CheckpointFile(path, key)


def open_sealer(settings: Settings, directory: Directory) -> Sealer:
    """The sealer of secrets, with the master key of the settings or the data folder.

    The key is created if nothing is sealed yet. Raises Damaged if it is missing, Invalid if it is
    malformed.
    """
    try:
        if settings.master_key:
            return Sealer(parse_key(settings.master_key))
        key = read_key(settings.master_key_path)
    except ValueError as error:
        raise Invalid(
            f"The master key is malformed: {error}.", code=ErrorCode.MASTER_KEY
        ) from error
    if key is None:
        with directory.read() as session:
            if find_sealed(session) is not None or find_sealed_sso(session) is not None:
                raise Damaged(
                    f"{settings.master_key_path} is missing or empty, but stored secrets are "
                    "sealed with that key. Restore the file or set OUTLAY_MASTER_KEY.",
                    code=ErrorCode.MASTER_KEY,
                )
        key = create_key(settings.master_key_path)
    return Sealer(key)
