"""Calls a service with the real nuropb 0.1.8 and prints the results as JSON. Runs under the Python of the peers' venv.

    python python_caller.py AMQP_URL SERVICE METHOD PARAMS_JSON OUTSTANDING SECONDS
"""

import asyncio
import json
import logging
import resource
import sys
import time

from nuropb.rmq_api import RMQAPI


async def main(url, service, method, params, outstanding, seconds):
    params, took, in_time = json.loads(params), [], 0
    api = RMQAPI(amqp_url=url)
    await api.connect()
    begun = time.monotonic()
    until = begun + seconds

    async def one_after_the_other():
        nonlocal in_time
        while time.monotonic() < until:
            sent = time.monotonic()
            answer = await api.request(service=service, method=method, params=params, context={"user_id": "bench"}, trace_id="bench")
            took.append(time.monotonic() - sent)
            assert answer == params["value"], answer
            in_time += time.monotonic() < until

    await asyncio.gather(*(one_after_the_other() for _ in range(outstanding)))
    await api.disconnect()
    took.sort()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"answered": len(took), "errors": {}, "seconds": seconds, "rate": in_time / seconds, "p50_us": took[len(took) // 2] * 1e6,
                      "p99_us": took[len(took) * 99 // 100] * 1e6, "cpu_seconds": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)
    asyncio.run(main(*sys.argv[1:5], int(sys.argv[5]), float(sys.argv[6])))
