import sys
import types

import pytest

from nuropb_gateway_client.tracing import Tracing

NAME = "opentelemetry.trace.propagation.tracecontext"


@pytest.fixture
def without(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)


def test_where_it_is_not_installed(without):
    tracing = Tracing()
    assert tracing.traceparent() is None and tracing.traceparent() is None


def test_where_it_is_of_another_kind(monkeypatch):
    monkeypatch.setitem(sys.modules, NAME, types.ModuleType(NAME))
    assert Tracing().traceparent() is None


def test_where_it_is_installed():
    """The real one; scripts/test installs it."""
    trace = pytest.importorskip("opentelemetry.sdk.trace", reason="OpenTelemetry is not installed")
    tracing, tracer = Tracing(), trace.TracerProvider().get_tracer("t")
    assert tracing.traceparent() is None, "no span, nothing to tell"
    with tracer.start_as_current_span("s") as span:
        told = tracing.traceparent()
    version, trace_id, span_id, flags = told.split("-")
    assert (version, trace_id, span_id) == ("00", f"{span.get_span_context().trace_id:032x}", f"{span.get_span_context().span_id:016x}")
    assert int(flags, 16) & 1, "it is sampled"
