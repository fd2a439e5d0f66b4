"""The real Python nuropb 0.1.8 as a caller: of our demo service, and of the gateway's own service on the mesh."""

import pytest

from .python_caller import call


@pytest.fixture(scope="module")
def outcomes(broker_url, demo):
    """One connection makes all calls: a caller that an odd answer puts out of step would show it in the next one."""
    calls = {
        "echo": {"method": "echo", "params": {"value": {"ü": [1, 2.5, None, True, "😀"]}}},
        "add": {"method": "add", "params": {"a": 40, "b": 2}},
        "slow": {"method": "slow", "params": {"ms": 20}},
        "fail": {"method": "fail", "params": {}},
        "fail, whole response": {"method": "fail", "params": {}, "rpc_response": False},
        "echo, whole response": {"method": "echo", "params": {"value": 1}, "rpc_response": False},
        "unknown": {"method": "nope", "params": {}},
        "hidden": {"method": "_nope", "params": {}},
        "wrong params": {"method": "add", "params": {"a": "x", "b": 1}},
        "missing params": {"method": "add", "params": {"a": 1}},
        "sum too big": {"method": "add", "params": {"a": 2**63 - 1, "b": 1}},
        "params null": {"method": "add", "params": None},
        "command": {"method": "echo", "params": {"value": 1}, "command": True},
        "command that fails": {"method": "fail", "params": {}, "command": True},
        "after all that": {"method": "echo", "params": {"value": "still in step"}},
    }
    made = call(broker_url, *({"service": demo, **one} for one in calls.values()), {"describe": demo})
    return dict(zip([*calls, "describe"], made))


def test_results(outcomes):
    assert outcomes["add"] == {"result": 42}
    assert outcomes["sum too big"].get("result", 0) >= 0, "a sum that does not fit must not wrap around"
    assert outcomes["slow"] == {"result": {"slept_ms": 20}}
    assert outcomes["echo"] == {"result": {"value": {"ü": [1, 2.5, None, True, "😀"]}}}


def test_errors_are_raised_as_for_a_python_service(outcomes):
    # 0.1.8 raises every error response of a request as NuropbMessageError with the service's description.
    for name, pattern in {"fail": "", "unknown": "Unknown method nope", "hidden": "Unknown method _nope", "wrong params": "", "missing params": "", "params null": ""}.items():
        assert outcomes[name].get("raised") == "NuropbMessageError", (name, outcomes[name])
        assert pattern in outcomes[name]["description"], (name, outcomes[name])
        assert outcomes[name]["description"], name


def test_the_whole_response(outcomes):
    whole = outcomes["echo, whole response"]["result"]
    assert set(whole) == {"tag", "context", "correlation_id", "trace_id", "result", "error", "warning", "reply_to"}
    assert whole["tag"] == "response" and whole["error"] is None
    assert whole["trace_id"] == "trace-of-client" and whole["context"] == {"from": "client"}
    assert len(whole["correlation_id"]) == 32
    failed = outcomes["fail, whole response"]["result"]
    assert failed["result"] is None and set(failed["error"]) == {"error", "description"}


def test_commands_are_taken_and_the_caller_stays_in_step(outcomes):
    assert outcomes["command"] == {"result": None}
    assert outcomes["after all that"]["result"] == {"value": "still in step"}


def described(description, name):
    """What every participant's description has (nuropb-wire.md, "Service discovery")."""
    assert set(description) == {"service_name", "service_version", "description", "warnings", "encrypted_methods", "public_key", "methods"}
    assert description["service_name"] == name
    assert description["warnings"] == [] and description["encrypted_methods"] is False and description["public_key"] is None
    for method in description["methods"].values():
        assert set(method) == {"description", "requires_encryption", "parameters"}
        parameters = method["parameters"]
        assert parameters["type"] == "object"
        assert all(len(pair) == 2 and set(pair[1]) == {"type", "description", "default"} for pair in parameters["properties"])
        assert set(parameters["required"]) <= {name for name, _ in parameters["properties"]}
    return description["methods"]


def test_describe_the_demo_service(outcomes, demo):
    methods = described(outcomes["describe"]["result"], demo)
    assert set(methods) >= {"echo", "add", "slow", "fail"}
    assert methods["add"]["parameters"]["required"] == ["a", "b"]


def test_describe_the_gateway(broker_url, gateway):
    """Its controller is a service on the mesh."""
    described_gateway, unknown = call(broker_url, {"describe": gateway.name}, {"service": gateway.name, "method": "nope", "params": {}})
    described(described_gateway["result"], gateway.name)
    assert unknown == {"raised": "NuropbMessageError", "description": "Unknown method nope"}
