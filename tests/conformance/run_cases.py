"""The Autobahn cases against one WebSocket server, as JSON: [[case, behavior, closing, why], ...].

    python run_cases.py URL GLOB...

Runs under the Python of the peers' venv.
"""

import asyncio
import json
import sys

from kosoku import FailureError, run_fuzzingclient


async def main(url, *wanted):
    try:
        results = await run_fuzzingclient(url, cases=wanted)
    except FailureError as failure:
        results = failure.results
    json.dump([[r.case_id, r.behavior.value, r.behavior_close.value, r.result] for r in results], sys.stdout)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
