"""Upstreams and model mappings of organizations, with sealed secrets."""

import re
from dataclasses import replace
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, Value
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import MAX_TEXT
from outlay.domain.ids import UpstreamId
from outlay.domain.policy import Permission, permit
from outlay.domain.provider import find_provider
from outlay.domain.upstream import BASE_URLS, ModelMapping, Upstream
from outlay.kit.addresses import is_loopback_name
from outlay.kit.egress import LOOPBACK, OPEN, Egress
from outlay.kit.ids import new_id
from outlay.kit.sealing import Sealer
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.own_address import OwnAddress
from outlay.services.directory.sealed_secrets import open_secret, seal_secret
from outlay.services.directory.text_rules import check_found, check_name_free
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.upstreams import (
    StoredUpstream,
    create_upstream,
    delete_model_mapping,
    delete_upstream,
    find_sealed,
    list_model_mappings,
    list_upstreams,
    put_model_mapping,
    update_upstream,
)

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_HINT_LETTERS: Final = 4
_HIDDEN_BELOW: Final = 12
"""Shorter secrets have no hint, which would reveal too much of them."""


class Upstreams:
    """The upstreams of an actor's organization. Secrets are write-only."""

    def __init__(
        self,
        directory: Directory,
        sealer: Sealer,
        audited: AuditedChanges,
        egress: Egress,
        own_address: OwnAddress,
    ) -> None:
        """Raises Damaged if the master key does not open the stored secrets."""
        self._directory = directory
        self._sealer = sealer
        self._audited = audited
        self._egress = egress
        self._own_address = own_address
        with directory.read() as session:
            stored = find_sealed(session)
        if stored is not None:
            self.open_secret(stored)

    def create(
        self,
        actor: Actor,
        *,
        provider: str,
        name: str | None = None,
        base_url: str | None = None,
        secret: str | None = None,
        asks_usage: bool = True,
    ) -> Upstream:
        """Create an upstream; name and base URL default to the provider's."""
        provider = find_provider(provider)
        chosen = base_url or BASE_URLS.get(provider)
        if chosen is None:
            raise Invalid(
                f"The address of the provider {provider!r} is not known. Set its base URL. Known "
                f"providers: {', '.join(BASE_URLS)}.",
                field="baseUrl",
            )
        upstream = Upstream(
            upstream_id=UpstreamId(new_id("ups")),
            organization_id=actor.organization_id,
            name=_check_label(name or provider, "name"),
            provider=_check_label(provider, "provider"),
            base_url=self._check_address(chosen),
            hint=_hint(secret),
            asks_usage=asks_usage,
        )
        with self._audited.change(actor, Permission.UPSTREAMS_WRITE) as change:
            _check_free(upstream, list_upstreams(change.session, actor.organization_id))
            create_upstream(change.session, self._seal(upstream, secret), change.now_us)
            change.note(
                Action.UPSTREAM_CREATE, upstream.upstream_id, after=_describe(upstream, "set")
            )
        return upstream

    def update(
        self,
        actor: Actor,
        upstream_id: UpstreamId,
        *,
        name: str | None = None,
        base_url: str | None = None,
        secret: str | None = None,
        asks_usage: bool | None = None,
    ) -> Upstream:
        """Change an upstream. A new base URL requires the secret again, which was entered for the
        old one.
        """
        with self._audited.change(actor, Permission.UPSTREAMS_WRITE) as change:
            known = list_upstreams(change.session, actor.organization_id)
            stored = _find(known, upstream_id)
            before = stored.upstream
            address = self._check_address(base_url) if base_url else before.base_url
            if address != before.base_url and stored.sealed_secret and secret is None:
                raise Invalid(
                    "Changing the base URL requires the secret again.",
                    code=ErrorCode.SECRET_REQUIRED,
                    field="secret",
                )
            after = replace(
                before,
                name=_check_label(name, "name") if name else before.name,
                base_url=address,
                hint=_hint(secret) if secret is not None else before.hint,
                asks_usage=before.asks_usage if asks_usage is None else asks_usage,
            )
            _check_free(after, known)
            if secret is None:
                update_upstream(change.session, StoredUpstream(after, stored.sealed_secret))
            else:
                update_upstream(change.session, self._seal(after, secret))
            change.note_update(
                Action.UPSTREAM_UPDATE,
                upstream_id,
                _describe(before, "kept"),
                _describe(after, "kept" if secret is None else "replaced"),
            )
        return after

    def delete(self, actor: Actor, upstream_id: UpstreamId) -> None:
        """Delete an upstream, its mappings and its secret."""
        with self._audited.change(actor, Permission.UPSTREAMS_WRITE) as change:
            session = change.session
            stored = _find(list_upstreams(session, actor.organization_id), upstream_id)
            for mapping in list_model_mappings(session, actor.organization_id):
                if mapping.upstream_id == upstream_id:
                    delete_model_mapping(session, actor.organization_id, mapping.name)
            delete_upstream(session, upstream_id, change.now_us)
            change.note(
                Action.UPSTREAM_DELETE, upstream_id, before=_describe(stored.upstream, "forgotten")
            )

    def list_for(self, actor: Actor) -> list[Upstream]:
        """The active upstreams, oldest first."""
        permit(actor, Permission.UPSTREAMS_READ)
        with self._directory.read() as session:
            return [stored.upstream for stored in list_upstreams(session, actor.organization_id)]

    def put_mapping(
        self, actor: Actor, *, name: str, upstream_id: UpstreamId, model: str
    ) -> ModelMapping:
        """Give a model of an upstream a name of the organization's own."""
        for text, label in ((name, "name"), (model, "model")):
            if not text or len(text) > MAX_TEXT or not text.isprintable() or text != text.strip():
                raise Invalid(
                    f"A {label} must have 1 to {MAX_TEXT} printable characters.", field=label
                )
        mapping = ModelMapping(
            organization_id=actor.organization_id, name=name, upstream_id=upstream_id, model=model
        )
        with self._audited.change(actor, Permission.UPSTREAMS_WRITE) as change:
            _find(list_upstreams(change.session, actor.organization_id), upstream_id)
            known = list_model_mappings(change.session, actor.organization_id)
            before = next((m for m in known if m.name == name), None)
            if before == mapping:
                change.cancel()
                return mapping
            put_model_mapping(change.session, mapping, change.now_us)
            change.note(
                Action.MODEL_PUT,
                name,
                before=_describe_mapping(before) if before else None,
                after=_describe_mapping(mapping),
            )
        return mapping

    def delete_mapping(self, actor: Actor, name: str) -> None:
        """Delete a mapping; raises NotFound if there is none."""
        with self._audited.change(actor, Permission.UPSTREAMS_WRITE) as change:
            mappings = list_model_mappings(change.session, actor.organization_id)
            with_name = (known for known in mappings if known.name == name)
            mapping = check_found(next(with_name, None), "model mapping")
            delete_model_mapping(change.session, actor.organization_id, name)
            change.note(Action.MODEL_DELETE, name, before=_describe_mapping(mapping))

    def mappings_of(self, actor: Actor) -> list[ModelMapping]:
        """The organization's model mappings."""
        permit(actor, Permission.UPSTREAMS_READ)
        with self._directory.read() as session:
            return list_model_mappings(session, actor.organization_id)

    def open_secret(self, stored: StoredUpstream) -> str:
        """The secret of an upstream, for requests to it; empty without one."""
        upstream = stored.upstream
        name = f"secret of the upstream {upstream.name!r}"
        return open_secret(self._sealer, stored.sealed_secret, upstream.place, name)

    def _check_address(self, text: str) -> str:
        """A valid base URL; raises Invalid."""
        base_url = check_base_url(text, self._egress)
        if self._own_address.includes(base_url):
            raise Invalid(
                f"The base URL {base_url} is this gateway itself. Use the provider's own address.",
                code=ErrorCode.OWN_ADDRESS,
                field="baseUrl",
            )
        return base_url

    def _seal(self, upstream: Upstream, secret: str | None) -> StoredUpstream:
        sealed = seal_secret(self._sealer, secret, upstream.place) if secret else None
        return StoredUpstream(upstream, sealed)


def _find(known: list[StoredUpstream], upstream_id: UpstreamId) -> StoredUpstream:
    with_id = (stored for stored in known if stored.upstream.upstream_id == upstream_id)
    return check_found(next(with_id, None), "upstream")


def _describe(upstream: Upstream, secret: str) -> dict[str, Value]:
    """The fields of an upstream in the audit trail; of its secret, only whether it changed."""
    return {
        "name": upstream.name,
        "provider": upstream.provider,
        "baseUrl": upstream.base_url,
        "secret": secret,
        "asksUsage": upstream.asks_usage,
    }


def _describe_mapping(mapping: ModelMapping) -> dict[str, Value]:
    return {"upstream": mapping.upstream_id, "model": mapping.model}


def _check_free(upstream: Upstream, known: list[StoredUpstream]) -> None:
    """Raise Conflict if another upstream has the name."""
    others = (stored.upstream for stored in known)
    taken = (other.name for other in others if other.upstream_id != upstream.upstream_id)
    check_name_free(upstream.name, taken, "upstream")


def check_base_url(text: str, egress: Egress = OPEN) -> str:
    """A base URL without its trailing slash; raises Invalid if it is not allowed.

    Allowed are HTTP or HTTPS, a host in plain form, no credentials, no query. Addresses that the
    egress policy forbids are rejected here and when connecting.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Invalid(f"The base URL is not well-formed: {error}.", field="baseUrl") from error
    fault = None
    if parts.scheme not in {"http", "https"}:
        fault = "it must start with https:// or http://"
    elif parts.username is not None or parts.password is not None:
        fault = "it must not contain a user name or password"
    elif parts.query or parts.fragment or "?" in text or "#" in text:
        fault = "it must not contain a query or a fragment"
    elif not host or not text.isascii() or not text.isprintable() or port == 0:
        fault = "it must name a host"
    elif any(part in {".", ".."} for part in parts.path.split("/")) or "\\" in text or "%" in text:
        fault = "its path must not contain dot segments, backslashes or percent-encoding"
    else:
        fault = _fault_of_host(host, egress)
    if fault:
        raise Invalid(f"The base URL {text!r} cannot be used: {fault}.", field="baseUrl")
    return text.strip().rstrip("/")


def _fault_of_host(host: str, egress: Egress) -> str | None:
    try:
        address = ip_address(host)
    except ValueError:
        labels = host.rstrip(".").split(".")
        # A last label of digits is an address in another notation: 2130706433, 0x7f.1, 127.1.
        is_name = not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]) and all(
            re.fullmatch(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", label) for label in labels
        )
        if not is_name:
            return f"{host} is neither a host name nor an address in its usual form"
        if is_loopback_name(host) and not any(map(egress.allows, LOOPBACK)):
            return _closed(host)
        return None
    return None if egress.allows(address) else _closed(host)


def _closed(host: str) -> str:
    return f"this installation does not allow the address {host}"


def _check_label(text: str, field: str) -> str:
    if not _NAME.fullmatch(text):
        raise Invalid(
            f"A {field} must have 1 to 63 lower-case letters, digits, dots, dashes or "
            f"underscores, not {text!r}.",
            field=field,
        )
    return text


def _hint(secret: str | None) -> str:
    return secret[-_HINT_LETTERS:] if secret and len(secret) >= _HIDDEN_BELOW else ""
