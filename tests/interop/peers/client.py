"""A caller with the real nuropb 0.1.8: makes the calls given as JSON and prints each outcome as one line of JSON.

    python client.py AMQP_URL CALLS_JSON

CALLS_JSON: [{"service":…, "method":…, "params":…, "rpc_response":true?, "ttl":…?, "command":true?} | {"describe": SERVICE}
              | {"requires_encryption": [SERVICE, METHOD]} | {"has_public_key": SERVICE} | {"topic":…, "event":…, "context":…?}]
What a call says of context and trace_id is taken; else they are {"from": "client"} and "trace-of-client".
"""

import asyncio
import json
import logging
import sys

from nuropb.interface import NuropbException
from nuropb.rmq_api import RMQAPI


async def outcome(api, call):
    try:
        if "describe" in call:
            return {"result": await api.describe_service(call["describe"])}
        if call.pop("command", False):
            api.command(**{"context": {}, "trace_id": "trace-of-client", **call})
            return {"result": None}
        if "requires_encryption" in call:
            return {"result": await api.requires_encryption(*call["requires_encryption"])}
        if "has_public_key" in call:
            return {"result": await api.has_public_key(call["has_public_key"])}
        if "topic" in call:
            api.publish_event(**{"context": {}, "trace_id": "trace-of-client", **call})
            return {"result": None}
        return {"result": await asyncio.wait_for(api.request(**{"context": {"from": "client"}, "trace_id": "trace-of-client", **call}), 40)}
    except NuropbException as error:
        return {"raised": type(error).__name__, "description": error.description}
    except Exception as error:
        return {"raised": type(error).__name__, "description": str(error)}


async def main(url, calls):
    api = RMQAPI(amqp_url=url)
    await api.connect()
    for call in json.loads(calls):
        print(json.dumps(await outcome(api, call)), flush=True)
    await api.disconnect()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    asyncio.run(main(*sys.argv[1:3]))
