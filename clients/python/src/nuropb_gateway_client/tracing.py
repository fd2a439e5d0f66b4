"""The W3C traceparent of the current span, where OpenTelemetry is installed."""

from __future__ import annotations

import importlib
from typing import Any, Dict, Optional


class Tracing:
    """Imports OpenTelemetry at the first call, and never where it is not installed."""

    def __init__(self) -> None:
        self._propagator: Any = None
        self._looked = False

    def traceparent(self) -> Optional[str]:
        if not self._looked:
            self._looked = True
            try:
                module = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
                self._propagator = module.TraceContextTextMapPropagator()
            except Exception:  # not there, or of a version that has it elsewhere: calls go without
                self._propagator = None
        if self._propagator is None:
            return None
        carrier: Dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get("traceparent")
