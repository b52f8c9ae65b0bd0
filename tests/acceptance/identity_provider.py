"""An OpenID Connect provider on loopback that is strict about requests."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from tests.factories import NOW
from tests.http_server import serving
from typing_extensions import override

CLIENT, SECRET = "outlay", "very:secret value"


@dataclass
class IdentityProvider:
    """The users it signs in, and the requests it received."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    """Claims of the next ID token, added to those of a valid one."""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    key_reads: int = 0
    redeemed: list[dict[str, str]] = field(default_factory=list)
    says_iss: bool = False
    """Whether it sends its issuer with the redirect (RFC 9207)."""
    redirect_uri: str = ""
    """The only address that it redirects to; empty for any."""
    instead: Callable[[dict[str, str]], str] | None = None
    """The address to which a malicious provider redirects browsers instead."""
    posted: list[dict[str, str]] = field(default_factory=list)
    """Everything that was sent to the token endpoint."""

    def authorize(self, query: dict[str, str]) -> str:
        """The next location of the browser: back, with a code."""
        if self.instead is not None:
            return self.instead(query)
        if self.redirect_uri and query["redirect_uri"] != self.redirect_uri:
            return f"{self.issuer}/refused"
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert set(query["scope"].split()) >= {"openid", "email"}
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        back = urlencode({"code": code, "state": query["state"]})
        if self.says_iss:
            back += "&" + urlencode({"iss": self.issuer})
        return f"{query['redirect_uri']}?{back}"

    def redeem(self, form: dict[str, str], authorization: str) -> dict[str, str] | None:
        """The answer of the token endpoint; None for a refusal."""
        self.posted.append(form)
        query = self.codes.pop(form["code"], None)
        expected = base64.b64encode(f"{CLIENT}:{quote_plus(SECRET)}".encode()).decode()
        if query is None or authorization != f"Basic {expected}":
            return None
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(form["code_verifier"].encode()).digest()
        )
        if challenge.decode().rstrip("=") != query["code_challenge"]:
            return None
        if form["redirect_uri"] != query["redirect_uri"]:
            return None
        self.redeemed.append(form)
        now = int(NOW.timestamp())
        payload = {
            "iss": self.issuer,
            "aud": CLIENT,
            "nonce": query["nonce"],
            "iat": now,
            "exp": now + 300,
            "email_verified": True,
            **self.claims,
        }
        header = {"alg": "RS256", "kid": self.key.kid}
        token = jwt.encode(header, payload, self.key)
        return {"access_token": "unused", "token_type": "Bearer", "id_token": token}


@contextmanager
def running_provider() -> Iterator[IdentityProvider]:
    """The provider, while it is running."""
    provider = IdentityProvider()

    class Handler(BaseHTTPRequestHandler):
        @override
        def log_message(self, format: str, *args: Any) -> None:
            """No output."""

        def send(self, status: int, body: Any = None, location: str = "") -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/.well-known/openid-configuration":
                self.send(200, provider.metadata)
            elif path == "/keys":
                provider.key_reads += 1
                self.send(200, {"keys": [provider.key.as_dict(private=False)]})
            elif path == "/refused":
                self.send(400, {"error": "the redirect address is not registered"})
            else:
                flat = {name: values[0] for name, values in parse_qs(query).items()}
                self.send(302, {}, provider.authorize(flat))

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            flat = {name: values[0] for name, values in parse_qs(text).items()}
            answer = provider.redeem(flat, self.headers.get("Authorization", ""))
            self.send(200 if answer else 401, answer or {"error": "invalid_grant"})

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
        provider.metadata = {
            "issuer": provider.issuer,
            "authorization_endpoint": f"{provider.issuer}/authorize",
            "token_endpoint": f"{provider.issuer}/token",
            "jwks_uri": f"{provider.issuer}/keys",
        }
        yield provider


def query_of(url: str) -> dict[str, str]:
    """The query parameters of a URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
