"""The real nuropb-gw 0.1.4 from PyPI as an application.

    python gateway.py AMQP_URL SERVICE_NAME TOKENS_JSON ORIGINS_JSON

TOKENS_JSON: {token: {"user_id":…, "username":…}}. Prints "port N" when it takes connections and is on the mesh.
"""

import asyncio
import json
import logging
import sys
import uuid

from nuropb_gw.handler_manager import HandlerManager
from nuropb_gw.handlers.base_handler import AuthenticateMixin
from nuropb_gw.handlers.ws_handler import WsHandler
from nuropb_gw.service_mesh_manager import ServiceMeshManager
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, url


COOKIE_SECRET = "a secret of nobody's"


class Login(AuthenticateMixin):
    """A page beside the WebSocket: an authenticated user gets nuropb-gw's session cookie with it."""

    def get(self):
        user = self.get_current_user()
        self.set_status(200 if user else 401)
        self.finish(user or {})


def application(amqp_url, name, tokens, origins):
    instance = uuid.uuid4().hex
    handlers = HandlerManager(service_name=name, instance_id=instance)
    mesh = ServiceMeshManager(service_name=name, instance_id=instance, amqp_url=amqp_url, handler_manager=handlers)
    mesh.connect()

    def authorise_from_token(token):
        user = tokens.get(token)
        return user and {**user, "bearer_token": token, "session_id": uuid.uuid4().hex, "last_activity": ""}

    app = Application(
        handlers=[url(r"/websocket", WsHandler), url(r"/login", Login)],
        session_cookie_name="session",
        cookie_secret=COOKIE_SECRET,
        allow_authorisation_cookie=True,
        authentication_timeout=15,
        authorise_from_token=authorise_from_token,
        handler_manager=handlers,
        service_mesh_manager=mesh,
        allowed_origins=origins,
        websocket_max_message_size=16 * 1024 * 1024,
    )
    return app, mesh


async def main(amqp_url, name, tokens, origins):
    app, mesh = application(amqp_url, name, json.loads(tokens), json.loads(origins))
    while not mesh.connected:
        await asyncio.sleep(0.02)
    server = HTTPServer(app)
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    sys.stdout.write(f"port {sockets[0].getsockname()[1]}\n")  # in one write, since the log goes to the same file
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)  # the errors that it is made to give are no news
    asyncio.run(main(*sys.argv[1:5]))
