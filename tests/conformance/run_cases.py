"""The Autobahn cases against one WebSocket server, as JSON: [[case, behavior, closing, why], ...].

    python run_cases.py URL [GLOB_TO_LEAVE_OUT...]

Runs under the Python of the peers' venv.
"""

import asyncio
import json
import sys

from kosoku import FailureError, run_fuzzingclient


async def main(url, *left_out):
    try:
        results = await run_fuzzingclient(url, exclude_cases=left_out)
    except FailureError as failure:
        results = failure.results
    json.dump([[r.case_id, r.behavior.value, r.behavior_close.value, r.result] for r in results], sys.stdout)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
