"""Token issuers: an issuer of JSON Web Tokens (PyJWT) with its published keys, and an authorization server with
introspection (RFC 7662). One small HTTP server each, whose answers the test changes as it likes."""

import base64
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote

import jwt
from cryptography.hazmat.primitives.asymmetric import ec


class Server:
    """Answers each request with (status, body) of `answer(handler, body)`."""

    def __init__(self, answer):
        outer = self
        self.requests = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests += 1
                size = int(self.headers.get("Content-Length") or 0)
                status, body = answer(self, self.rfile.read(size))
                text = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self):
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Issuer(Server):
    """Signs with ES256. `rotate()` makes a new key and publishes it alone."""

    name = "https://issuer.test"

    def __init__(self):
        self.status = 200
        self.rotate()
        super().__init__(lambda handler, body: (self.status, {"keys": [self.published]}))

    def rotate(self):
        self.key, self.kid = ec.generate_private_key(ec.SECP256R1()), uuid.uuid4().hex
        numbers = self.key.public_key().public_numbers()
        self.published = {"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.kid,
                          "x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big"))}

    def token(self, user="ann", lasts=3600, **claims):
        now = int(time.time())
        return jwt.encode({"sub": user, "name": user.title(), "iss": self.name, "iat": now, "exp": now + lasts, **claims},
                          self.key, "ES256", headers={"kid": self.kid})

    def settings(self, **auth):
        """Settings of a gateway that trusts this issuer."""
        return {"auth": {"authorizers": ["tokens", "jwt"], **auth}, "jwt": {"jwks_url": self.url + "/keys", "issuer": self.name, "leeway_s": 0, "jwks_retry_s": 1, "jwks_timeout_ms": 20_000}}


class AuthorizationServer(Server):
    """Knows the opaque tokens in `tokens`, and one client."""

    client = ("gateway", "s3cret/of+it")

    def __init__(self):
        self.tokens = {}
        self.status = 200
        super().__init__(self._introspect)

    def _introspect(self, handler, body):
        kind, _, credentials = handler.headers.get("Authorization", "").partition(" ")
        given = tuple(unquote(part) for part in base64.b64decode(credentials).decode().split(":", 1)) if kind == "Basic" else ()
        if handler.command != "POST" or given != self.client:
            return 401, {"error": "invalid_client"}
        token = parse_qs(body.decode()).get("token", [""])[0]
        return self.status, {"active": True, **self.tokens[token]} if token in self.tokens else {"active": False}
