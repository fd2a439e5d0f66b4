"""A backend with the real connector of Snorky 0.1.0a4: python snorky_backend.py URL KEY CALLS, where CALLS is JSON,
[[service, command, params], ...]. Prints a line of JSON for each: what it returned, or raised."""

import json
import sys

from snorky.backend import SnorkyBackend, SnorkyError, SnorkyHTTPTransport

url, key, calls = sys.argv[1:]
backend = SnorkyBackend(SnorkyHTTPTransport(url, key))
for service, command, params in json.loads(calls):
    try:
        print(json.dumps(["returned", backend.call(service, command, **params)]))
    except SnorkyError as error:
        print(json.dumps(["SnorkyError", str(error)]))
    except RuntimeError as error:
        print(json.dumps(["RuntimeError", str(error)]))
