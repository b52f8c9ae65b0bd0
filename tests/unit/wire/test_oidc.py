"""ID tokens: one is valid, all others are rejected."""

import base64
import hmac
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from outlay.domain.errors import Unauthenticated
from outlay.wire.oidc import (
    MAX_TOKEN,
    Expected,
    Identity,
    check_id_token,
    key_id_of,
    parse_keys,
    parse_provider,
    parse_token_answer,
)

ISSUER, CLIENT, NONCE, NOW = "https://id.example.com", "outlay", "n-0S6_WzA2Mj", 1_795_000_000
ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519", "HS256", "RS384", "ES384", "none"]

RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its shortness is the point
    SHORT_RSA = RSAKey.generate_key(1024, {"kid": "short"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
EC384 = ECKey.generate_key("P-384", {"kid": "ec384"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
KEYS = [key.as_dict(private=False) for key in (RSA, EC, EC384, ED, SHORT_RSA)]

Claims = dict[str, Any]


def claims(**changes: Any) -> Claims:
    """Claims of a valid token, with changes; None removes one."""
    good: Claims = {
        "iss": ISSUER,
        "aud": CLIENT,
        "sub": "248289761001",
        "nonce": NONCE,
        "iat": NOW - 5,
        "exp": NOW + 300,
        "email": "dana@example.com",
        "email_verified": True,
        "name": "Dana",
        "groups": ["engineering", "ops"],
        **changes,
    }
    return {name: value for name, value in good.items() if value is not None}


def sign(payload: Claims, key: Any = RSA, alg: str = "RS256", **header: Any) -> str:
    """A signed token."""
    headers = {"alg": alg, "kid": key.kid, **header}
    headers = {name: value for name, value in headers.items() if value is not None}
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    return jwt.encode(headers, payload, key, algorithms=ALGORITHMS, registry=registry)


def raw(header: str, payload: str, key: Any = None) -> str:
    """A token with any text, unsigned or signed with RS256."""
    start = f"{pack(header)}.{pack(payload)}"
    if key is None:
        return start + "."
    signed = key.private_key.sign(start.encode(), *_PKCS1())
    return f"{start}.{base64.urlsafe_b64encode(signed).decode().rstrip('=')}"


def _PKCS1() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return PKCS1v15(), SHA256()


def confused() -> str:
    """A token whose HMAC uses the published key as its secret."""
    start = f"{pack(json.dumps({'alg': 'HS256', 'kid': 'rsa'}))}.{pack(json.dumps(claims()))}"
    mac = hmac.digest(RSA.as_pem(private=False), start.encode(), "sha256")
    return f"{start}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def pack(text: str) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def check(token: str, **changes: Any) -> Identity:
    """Check a token against the expected content."""
    expected: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": CLIENT,
        "nonce": NONCE,
        "now": NOW,
        "group_claim": "groups",
        **changes,
    }
    return check_id_token(token, KEYS, Expected(**expected))


@pytest.mark.parametrize(
    ("key", "alg"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256"), (ED, "Ed25519")]
)
def test_valid_token_yields_the_identity(key: Any, alg: str) -> None:
    assert check(sign(claims(), key, alg)) == Identity(
        subject="248289761001",
        email="dana@example.com",
        name="Dana",
        groups=("engineering", "ops"),
    )


def test_optional_claims_can_be_missing() -> None:
    token = sign(
        claims(email=None, email_verified=None, name=None, groups=None),
        kid=None,
        alg="ES256",
        key=EC,
    )

    assert check(token) == Identity(subject="248289761001", email="", name="", groups=None)
    assert check(sign(claims(aud=[CLIENT, "other"], azp=CLIENT))).subject
    assert check(sign(claims(exp=NOW - 30, iat=NOW + 30, nbf=NOW + 30))).subject  # clock skew


@pytest.mark.parametrize("verified", [None, False, "true", 1, "True", [True]])
def test_address_counts_only_if_verified(verified: Any) -> None:
    assert check(sign(claims(email_verified=verified))).email == ""


good = sign(claims())
head, body, signature = good.split(".")
payload_text = json.dumps(claims())

HOSTILE: dict[str, Callable[[], str]] = {
    "no signature, alg none": lambda: raw('{"alg":"none"}', payload_text),
    "alg None in another case": lambda: raw('{"alg":"nOnE"}', payload_text),
    "alg empty": lambda: raw('{"alg":""}', payload_text),
    "alg missing": lambda: raw("{}", payload_text),
    "alg is null": lambda: raw('{"alg":null}', payload_text),
    "alg is a list": lambda: raw('{"alg":["RS256"]}', payload_text, RSA),
    "signature stripped": lambda: f"{head}.{body}.",
    "signature of another token": lambda: f"{head}.{body}.{sign(claims(sub='x')).split('.')[2]}",
    "payload exchanged": lambda: f"{head}.{pack(json.dumps(claims(sub='admin')))}.{signature}",
    "signed by another key of the same id": lambda: sign(claims(), OTHER_RSA),
    "HMAC with the public key as secret": lambda: confused(),
    "HMAC with an empty kid": lambda: sign(claims(), OctKey.generate_key(256), "HS256", kid=""),
    "algorithm that is not accepted": lambda: sign(claims(), RSA, "RS384"),
    "curve that is not accepted": lambda: sign(claims(), EC384, "ES384"),
    "RSA key of another algorithm's family": lambda: sign(claims(), EC, "ES256", kid="rsa"),
    "short RSA key": lambda: sign(claims(), SHORT_RSA),
    "unknown key id": lambda: sign(claims(), RSA, kid="elsewhere"),
    "key id that is a number": lambda: raw('{"alg":"RS256","kid":1}', payload_text, RSA),
    "no key id among several keys": lambda: sign(claims(), SHORT_RSA, kid=None),
    "key brought along (jwk)": lambda: sign(
        claims(), OTHER_RSA, jwk=OTHER_RSA.as_dict(private=False)
    ),
    "key address brought along (jku)": lambda: sign(claims(), RSA, jku="https://evil.test/keys"),
    "certificate brought along (x5c)": lambda: sign(claims(), RSA, x5c=["MIIB"]),
    "critical header": lambda: raw(
        '{"alg":"RS256","kid":"rsa","crit":["exp"],"exp":1}', payload_text, RSA
    ),
    "unencoded payload (b64)": lambda: raw(
        '{"alg":"RS256","kid":"rsa","b64":false}', payload_text, RSA
    ),
    "access token (at+jwt)": lambda: sign(claims(), RSA, typ="at+jwt"),
    "logout token": lambda: sign(claims(), RSA, typ="logout+jwt"),
    "another issuer": lambda: sign(claims(iss="https://evil.example.com")),
    "issuer with a slash more": lambda: sign(claims(iss=ISSUER + "/")),
    "issuer as a list": lambda: sign(claims(iss=[ISSUER])),
    "no issuer": lambda: sign(claims(iss=None)),
    "another audience": lambda: sign(claims(aud="somebody-else")),
    "audience that contains ours as text": lambda: sign(claims(aud="outlay-evil")),
    "audience is an object": lambda: sign(claims(aud={CLIENT: 1})),
    "audience with a number": lambda: sign(claims(aud=[CLIENT, 1], azp=CLIENT)),
    "no audience": lambda: sign(claims(aud=None)),
    "several audiences, handed to nobody": lambda: sign(claims(aud=[CLIENT, "other"])),
    "handed to somebody else": lambda: sign(claims(azp="other")),
    "another nonce": lambda: sign(claims(nonce="other")),
    "no nonce": lambda: sign(claims(nonce=None)),
    "nonce as a list": lambda: sign(claims(nonce=[NONCE])),
    "expired": lambda: sign(claims(exp=NOW - 61)),
    "no expiry": lambda: sign(claims(exp=None)),
    "expiry as text": lambda: sign(claims(exp=str(NOW + 300))),
    "expiry true": lambda: sign(claims(exp=True)),
    "expiry beyond all time": lambda: sign(claims(exp=10**15)),
    "issued in the future": lambda: sign(claims(iat=NOW + 120)),
    "issued long ago": lambda: sign(claims(iat=NOW - 3_600)),
    "no time of issue": lambda: sign(claims(iat=None)),
    "not valid yet": lambda: sign(claims(nbf=NOW + 120)),
    "no subject": lambda: sign(claims(sub=None)),
    "empty subject": lambda: sign(claims(sub="")),
    "subject is a number": lambda: sign(claims(sub=0)),
    "subject of 300 characters": lambda: sign(claims(sub="s" * 300)),
    "claim named twice": lambda: raw(
        '{"alg":"RS256","kid":"rsa"}', payload_text[:-1] + ',"sub":"admin"}', RSA
    ),
    "header named twice": lambda: raw(
        '{"alg":"RS256","kid":"rsa","alg":"RS256"}', payload_text, RSA
    ),
    "payload is a list": lambda: raw('{"alg":"RS256","kid":"rsa"}', "[]", RSA),
    "payload is not JSON": lambda: raw('{"alg":"RS256","kid":"rsa"}', "sub=1", RSA),
    "deeply nested payload": lambda: raw(
        '{"alg":"RS256","kid":"rsa"}', "[" * 5_000 + "]" * 5_000, RSA
    ),
    "too large": lambda: sign(claims(name="n" * MAX_TOKEN)),
    "encrypted (five parts)": lambda: good + ".a.b",
    "two parts": lambda: f"{head}.{body}",
    "not base64url": lambda: f"!{head}.{body}.{signature}",
    "not ASCII": lambda: good.replace(".", "．"),
    "nothing": lambda: "",
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_tokens_are_refused(make: Callable[[], str]) -> None:
    with pytest.raises(Unauthenticated) as refused:
        check(make())
    assert refused.value.code == "sso-refused"


def test_there_are_at_least_forty_hostile_tokens() -> None:
    assert len(HOSTILE) >= 40


METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}


def test_provider_metadata_is_parsed() -> None:
    provider = parse_provider(json.dumps(METADATA).encode(), ISSUER)
    by_form = {**METADATA, "token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert (provider.token_endpoint, provider.takes_basic) == (f"{ISSUER}/token", True)
    assert parse_provider(json.dumps(by_form).encode(), ISSUER).takes_basic is False


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        json.dumps({**METADATA, "issuer": "https://evil.test"}).encode(),
        json.dumps({**METADATA, "token_endpoint": None}).encode(),
    ],
)
def test_incomplete_metadata_is_refused(body: bytes) -> None:
    with pytest.raises(Unauthenticated):
        parse_provider(body, ISSUER)


def test_malformed_answers_are_refused() -> None:
    for read, text in (
        (parse_keys, b'{"keys": 1}'),
        (parse_token_answer, b"{}"),
        (parse_token_answer, b'{"id_token": 1}'),
        (parse_token_answer, b"<html>"),
    ):
        with pytest.raises(Unauthenticated):
            read(text)
    assert key_id_of(good) == "rsa"
    assert parse_keys(b'{"keys": [{"kid": "a"}, 1]}') == [{"kid": "a"}]
