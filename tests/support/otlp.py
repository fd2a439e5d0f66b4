"""An OpenTelemetry collector, as far as OTLP/HTTP with JSON goes: receives spans and checks their format.

https://opentelemetry.io/docs/specs/otlp/, https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding"""

import http.server
import json
import re
import threading
import time


class Span:
    def __init__(self, raw, resource):
        assert set(raw) <= {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "status"}, raw
        assert re.fullmatch("[0-9a-f]{32}", raw["traceId"]) and int(raw["traceId"], 16), raw
        assert re.fullmatch("[0-9a-f]{16}", raw["spanId"]) and int(raw["spanId"], 16), raw
        assert raw["kind"] in range(1, 6) and raw["name"], raw
        self.trace_id, self.id, self.parent = raw["traceId"], raw["spanId"], raw.get("parentSpanId")
        assert self.parent is None or re.fullmatch("[0-9a-f]{16}", self.parent), raw
        self.name, self.kind, self.resource = raw["name"], raw["kind"], resource
        # OTLP's JSON has 64-bit numbers as strings.
        assert all(isinstance(raw[key], str) for key in ("startTimeUnixNano", "endTimeUnixNano")), raw
        self.start, self.end = int(raw["startTimeUnixNano"]), int(raw["endTimeUnixNano"])
        assert self.start <= self.end and abs(time.time_ns() - self.end) < 600 * 10**9, raw
        self.attributes = attributes(raw["attributes"])
        assert set(raw["status"]) <= {"code", "message"} and raw["status"].get("code", 0) in (0, 1, 2), raw
        self.error = raw["status"].get("message") if raw["status"].get("code") == 2 else None


def attributes(pairs):
    out = {}
    for pair in pairs:
        assert set(pair) == {"key", "value"} and len(pair["value"]) == 1 and pair["key"] not in out, pair
        kind, value = next(iter(pair["value"].items()))
        assert (kind == "intValue" and re.fullmatch(r"-?\d+", value)) or (kind == "stringValue" and isinstance(value, str)), pair
        out[pair["key"]] = int(value) if kind == "intValue" else value
    return out


class Collector:
    """`with Collector() as collector:` and `collector.url` receives spans. `collector.status` is the status of its responses."""

    def __init__(self, port=0):
        self.spans, self.mistakes, self.posts, self.status = [], [], 0, 200
        self.headers = {}  # of the last request, by name in lower case
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posts += 1
                outer.headers = {name.lower(): value for name, value in self.headers.items()}
                status = outer.status
                try:
                    assert self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json", (self.path, self.headers["Content-Type"])
                    if status == 200:
                        outer.take(json.loads(body))
                except (AssertionError, KeyError, ValueError) as mistake:
                    outer.mistakes.append(mistake)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def take(self, request):
        assert set(request) == {"resourceSpans"}, request
        for group in request["resourceSpans"]:
            resource = attributes(group["resource"]["attributes"])
            assert {"service.name", "service.instance.id", "service.version"} <= set(resource), resource
            for scope in group["scopeSpans"]:
                assert scope["scope"]["name"] == "nuropb-gateway", scope
                self.spans += [Span(raw, resource) for raw in scope["spans"]]

    def of(self, trace_id):
        assert not self.mistakes, self.mistakes
        return [span for span in self.spans if span.trace_id == trace_id]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        assert not self.mistakes, self.mistakes
