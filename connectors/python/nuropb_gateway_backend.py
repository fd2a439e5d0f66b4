"""Calls the backend services of a NuroPb gateway over HTTP.

    from nuropb_gateway_backend import SnorkyBackend, SnorkyError

    backend = SnorkyBackend("http://127.0.0.1:5801/backend", key)
    backend.call("pubsub_backend", "publish", channel="news", message={"title": "..."})
    backend.call("gateway", "send_to_users", user_ids=["ann"], message={"hello": "ann"})

A call that the service refuses raises SnorkyError with its text; anything else that keeps an answer from coming raises
RuntimeError (the gateway away, a wrong key, no such service). Needs nothing but Python's own library. An object may be
used by one thread at a time; it keeps its connection open between calls.
"""

import http.client
import json
import selectors
import ssl
from urllib.parse import urlsplit

__all__ = ["SnorkyBackend", "SnorkyError", "GatewayError"]


# poll(), which has no limit on a descriptor's number; select() fails beyond 1,023. Windows has only the latter, whose limit
# there is on how many sockets are asked about.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def _has_news(sock):
    """Whether there is something to read, or the other end has closed."""
    with _Selector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(0))


class SnorkyError(Exception):
    """The service's answer to a call was an error; its text is the argument."""


class GatewayError(RuntimeError):
    """No answer of a service came. `status` is that of HTTP, or None if there was none; `unknown` is true where the
    call may have run all the same."""

    def __init__(self, text, status=None, unknown=False):
        super().__init__(text)
        self.status, self.unknown = status, unknown


class SnorkyBackend:
    """The services of a gateway's backend registry. `url` ends with /backend; `timeout` is in seconds."""

    def __init__(self, url, key, timeout=30.0, context=None):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"neither an http:// nor an https:// address: {url}")
        if parts.scheme == "https":
            self._connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context or ssl.create_default_context())
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        self._path = parts.path or "/backend"
        self._headers = {"X-Backend-Key": key, "Content-Type": "application/json", "Accept": "application/json"}

    def call(self, service, command, /, **params):
        """What the service returns for the call."""
        answer = self.send({"service": service, "message": {"command": command, "params": params}})
        message = answer.get("message") if isinstance(answer, dict) else None
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "response":
            return message.get("data")
        if kind == "error":
            raise SnorkyError(message.get("message"))
        raise GatewayError(f"no answer of Snorky's came: {answer!r}", 200, unknown=True)

    def send(self, envelope):
        """One envelope there and one back."""
        body = json.dumps(envelope).encode()
        answer, text = self._post(body)
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        if answer.status != 200:
            known = content if isinstance(content, dict) else {}
            raise GatewayError(f"{answer.status} {answer.reason}: {known.get('description', '')}", answer.status, known.get("outcome") == "unknown")
        if content is None:
            raise GatewayError(f"the answer is not JSON: {text[:200]!r}", answer.status, unknown=True)
        return content

    def close(self):
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _post(self, body):
        """Never sends twice: what was sent may have run."""
        sent = False
        try:
            if self._connection.sock is not None and _has_news(self._connection.sock):
                self._connection.close()  # the gateway closes idle connections
            if self._connection.sock is None:
                self._connection.connect()
            sent = True
            self._connection.request("POST", self._path, body, self._headers)
            answer = self._connection.getresponse()
            return answer, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()  # it can't be used again with an answer outstanding
            raise GatewayError(f"the connection to the gateway failed: {error!r}", unknown=sent) from error
