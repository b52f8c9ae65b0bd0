"""OpenID Connect: provider metadata, and validation of ID tokens.

OpenID Connect Core 1.0, sections 3.1.3.7 (validation) and 5.1 (claims); RFC 7515 and 7519 for
tokens; RFC 8725 for known attacks on them. Anything unexpected is rejected.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unauthenticated

MAX_TOKEN: Final = 16 * 1024
LEEWAY: Final = 60
"""Tolerated clock skew in seconds."""
MAX_AGE: Final = 600
"""Seconds after its issue during which a token is accepted: a sign-in takes no longer."""

_KINDS: Final[Mapping[str, tuple[type[RSAKey | ECKey | OKPKey], str, str | None]]] = {
    "RS256": (RSAKey, "RSA", None),
    "PS256": (RSAKey, "RSA", None),
    "ES256": (ECKey, "EC", "P-256"),
    "Ed25519": (OKPKey, "OKP", "Ed25519"),
}
"""Accepted algorithms, each with the only key type it may be used with."""
_MIN_RSA_BITS: Final = 2048
_HEADERS: Final = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The endpoints and capabilities of a provider."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool
    """Whether the client authenticates with HTTP Basic; otherwise in the form."""
    names_itself: bool
    """Whether it sends its issuer with the redirect (RFC 9207)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The expected content of an ID token."""

    issuer: str
    client_id: str
    nonce: str
    now: int
    """Seconds since the epoch."""
    group_claim: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The identity that a provider asserts."""

    subject: str
    email: str
    """Empty unless the provider has verified it."""
    name: str
    groups: tuple[str, ...] | None
    """None if the token has no group claim."""
    hosted_domain: str = ""
    """At Google, the domain of the organization that manages the account (`hd`); otherwise
    empty.
    """


def parse_provider(body: bytes, issuer: str) -> Provider:
    """Parse a provider's metadata (OpenID Connect Discovery 1.0, section 3)."""
    metadata = _object(body, "the provider's metadata")
    if metadata.get("issuer") != issuer:
        raise _refused(f"its metadata names another issuer: {metadata.get('issuer')!r}")
    endpoints = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    for name in endpoints:
        if not isinstance(metadata.get(name), str):
            raise _refused(f"its metadata has no {name}")
    methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Provider(
        issuer=issuer,
        authorization_endpoint=metadata["authorization_endpoint"],
        token_endpoint=metadata["token_endpoint"],
        jwks_uri=metadata["jwks_uri"],
        takes_basic=isinstance(methods, list) and "client_secret_basic" in methods,
        names_itself=metadata.get("authorization_response_iss_parameter_supported") is True,
    )


def parse_keys(body: bytes) -> list[Mapping[str, Any]]:
    """Parse a provider's key set (RFC 7517)."""
    keys = _object(body, "the provider's key set").get("keys")
    if not isinstance(keys, list):
        raise _refused("its key set is empty")
    return [key for key in keys if isinstance(key, dict)]


def parse_token_answer(body: bytes) -> str:
    """The ID token in the answer of the token endpoint."""
    token = _object(body, "the answer of the token endpoint").get("id_token")
    if not isinstance(token, str):
        raise _refused("the token endpoint returned no id_token")
    return token


def key_id_of(token: str) -> str | None:
    """The id of the key that a token names."""
    kid = _header(token).get("kid")
    return kid if isinstance(kid, str) else None


def check_id_token(token: str, keys: Sequence[Mapping[str, Any]], expected: Expected) -> Identity:
    """The identity in an ID token; raises Unauthenticated with the reason unless everything is as
    expected."""
    header = _header(token)
    algorithm = header["alg"]
    key = _find_key(keys, algorithm, header.get("kid"))
    try:
        signed = jws.deserialize_compact(token, key, algorithms=[algorithm])
    except (JoseError, ValueError) as error:
        raise _refused("the signature is wrong") from error
    claims = _object(signed.payload, "its payload")
    _check_claims(claims, expected)
    groups = claims.get(expected.group_claim)
    return Identity(
        subject=claims["sub"],
        email=_verified_email(claims),
        name=claims["name"] if isinstance(claims.get("name"), str) else "",
        hosted_domain=claims["hd"] if isinstance(claims.get("hd"), str) else "",
        groups=(
            tuple(group for group in groups if isinstance(group, str))
            if isinstance(groups, list)
            else None
        ),
    )


def _header(token: str) -> dict[str, Any]:
    if len(token) > MAX_TOKEN or not token.isascii() or token.count(".") != 2:
        raise _refused("it is not a signed token of a valid size")
    text = token.partition(".")[0]
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused("the header is not base64url") from error
    header = _object(raw, "its header")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _KINDS:
        raise _refused(f"the algorithm {algorithm!r} is not accepted")
    if not header.keys() <= _HEADERS:
        raise _refused("the header has unsupported critical parameters")
    if header.get("typ", "JWT") not in {"JWT", "jwt"}:
        raise _refused(f"the token has another type: {header['typ']!r}")
    if "kid" in header and not isinstance(header["kid"], str):
        raise _refused("the key id is not text")
    return header


def _find_key(
    keys: Sequence[Mapping[str, Any]], algorithm: str, kid: str | None
) -> RSAKey | ECKey | OKPKey:
    """The only key that can have signed the token."""
    kind, key_type, curve = _KINDS[algorithm]
    fitting = [
        key
        for key in keys
        if key.get("kty") == key_type
        and key.get("crv") == curve
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    if len(fitting) != 1:
        raise _refused("the signing key is not in the provider's key set")
    # The modulus is base64url: six bits per character.
    if key_type == "RSA" and len(str(fitting[0].get("n", ""))) * 6 < _MIN_RSA_BITS:
        raise _refused("the provider's key is too short")
    try:
        return kind.import_key(dict(fitting[0]))
    except (JoseError, ValueError, TypeError) as error:
        raise _refused("the provider's key is malformed") from error


def _check_claims(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise _refused("the token has another issuer")
    _check_audience(claims, expected.client_id)
    if claims.get("nonce") != expected.nonce:
        raise _refused("the token belongs to another sign-in")
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    if expires + LEEWAY <= expected.now:
        raise _refused("the token has expired")
    if issued - LEEWAY > expected.now or issued + MAX_AGE + LEEWAY < expected.now:
        raise _refused("the token was not issued recently")
    if "nbf" in claims and _seconds(claims, "nbf") - LEEWAY > expected.now:
        raise _refused("the token is not valid yet")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isascii():
        raise _refused("the subject is malformed")


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(entry, str) for entry in audiences):
        raise _refused("the audience is malformed")
    if client_id not in audiences:
        raise _refused("the token has another audience")
    if len(audiences) > 1 and claims.get("azp") != client_id:
        raise _refused("the token has several audiences and was not issued to this client")
    if "azp" in claims and claims["azp"] != client_id:
        raise _refused("the token was issued to another client")


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e11:
        raise _refused(f"the {name} is malformed")
    return int(value)


def _verified_email(claims: Mapping[str, Any]) -> str:
    email = claims.get("email")
    return email if isinstance(email, str) and claims.get("email_verified") is True else ""


def _object(body: bytes, noun: str) -> dict[str, Any]:
    try:
        value = json.loads(body, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _refused(f"{noun} is not JSON or has a duplicate member") from error
    if not isinstance(value, dict):
        raise _refused(f"{noun} is not a JSON object")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member is named twice")
    return value


def _refused(reason: str) -> Unauthenticated:
    return Unauthenticated(
        f"The identity provider's answer was refused: {reason}.", code=ErrorCode.SSO_REFUSED
    )
