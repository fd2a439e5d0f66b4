"""The client of the NuroPb gateway for Python: requests with one outcome each, events, and sessions that outlive their
sockets.

    async with Gateway("wss://gateway.example/websocket", token=fetch_token) as gateway:
        print(await gateway.request("demo", "add", {"a": 1, "b": 2}, ttl=5))
        async with gateway.events("news.#") as events:
            async for event in events:
                print(event.topic, event.data)
"""

from .errors import (
    Closed, GatewayError, Malformed, NotDelivered, ServiceError, SnorkyError, Timeout, TimeoutNotSent, TimeoutUnknown, UnknownOutcome,
)
from .gateway import Gateway, connect
from .session import SessionInfo
from .settings import Settings
from .snorky import ChannelSubscription, Service, Snorky, connect_snorky
from .subscriptions import Event, EventStream, Subscription
from .sync import EventStreamSync, GatewaySync
from .tokens import Token, Why
from .topics import matches

__version__ = "0.1.0"
__all__ = [
    "ChannelSubscription", "Closed", "Event", "EventStream", "EventStreamSync", "Gateway", "GatewayError", "GatewaySync", "Malformed",
    "NotDelivered", "Service", "ServiceError", "SessionInfo", "Settings", "Snorky", "SnorkyError", "Subscription", "Timeout",
    "TimeoutNotSent", "TimeoutUnknown", "Token", "UnknownOutcome", "Why", "connect", "connect_snorky", "matches",
]
