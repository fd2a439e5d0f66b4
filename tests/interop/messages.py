"""What consumers say to both gateways, one step at a time. `{service}` stands for the Python service's name, `{tag}` for
a word of the gateway's own."""

import json


def request(method, params=..., service="{service}", **members):
    """A request as a consumer writes it; members given as None are sent as null, `...` is left out."""
    payload = {"service": service, "method": method, "params": {} if params is ... else params, "trace_id": "t"}
    payload.update(members)
    return json.dumps({"type": "request", "payload": {k: v for k, v in payload.items() if v is not ...}}, ensure_ascii=False)


def raw_value(text, method="echo"):
    """A request whose params hold this JSON text as it is."""
    return '{"type":"request","payload":{"service":"{service}","method":"%s","params":{"value":%s},"trace_id":"t"}}' % (method, text)


MESSAGES = {
    # every way in which a service can answer
    "a value": request("echo", {"value": "v"}),
    "no params": request("echo"),
    "typed arguments": request("add", {"a": 2, "b": 40}),
    "an argument left out": request("add", {"a": 2}),
    "a required argument left out": request("add"),
    "an unknown argument": request("add", {"a": 2, "c": 3}),
    "null result": request("nothing"),
    "async": request("later", {"value": 5}),
    "raises": request("raises", {"text": "boom"}),
    "raises with quotes and umlauts": request("raises", {"text": 'bö"\\\n😀'}),
    "async raises": request("raises_later"),
    "raises a nuropb error": request("invalid"),
    **{
        f"raises {name}": request("raises_named", {"name": name})
        for name in (
            "NuropbException", "NuropbTimeoutError", "NuropbTransportError", "NuropbMessageError", "NuropbHandlingError", "NuropbDeprecatedError",
            "NuropbValidationError", "NuropbAuthenticationError", "NuropbAuthorizationError", "NuropbNotDeliveredError", "NuropbCallAgainReject",
        )
    },
    "call again, then a value": request("call_again_once", {"key": "{tag}"}),
    "call again for ever": request("call_again_always"),
    "success with events": request("success", {"topic": "interop.success"}),
    "values of the peer's encoder": request("dates"),
    "claims from the token": request("claims"),
    "claims from a key that the context lacks": request("claims_by_another_key"),
    "the context": request("context"),
    "describe": request("nuropb_describe"),
    "unknown method": request("nope"),
    "hidden method": request("_hidden"),
    "unknown service": request("m", service="nobody-of-that-name"),
    # values
    "big integers": raw_value("[1208925819614629174706176, -18446744073709551616, 9007199254740993]"),
    "floats": raw_value("[0.1, 1e300, 1.0, -0.0]"),
    "unicode": raw_value('"é\u2028\u2029😀\x7f"'),
    "escapes": raw_value(r'"\u00e9\ud83d\ude00\n\u0000\/"'),
    "a lone surrogate": raw_value(r'"\ud83d"'),
    "NaN": raw_value("NaN"),
    "empty containers": raw_value('[{}, [], "", null, true, false, 0]'),
    "nested": raw_value("[" * 30 + "]" * 30),
    "white space": ' \r\n\t' + raw_value(" 1 ").replace(",", " ,\n ") + "\n ",
    "a name twice": '{"type":"request","payload":{"service":"{service}","method":"echo","params":{"value":1},"trace_id":"t","params":{"value":2}}}',
    "further members": '{"id":1,"type":"request","meta":[{}],"payload":{"x":null,"service":"{service}","method":"echo","params":{"value":1},"trace_id":"t"}}',
    "a binary frame": raw_value('"binary"').encode(),
    # trace ids
    "no trace_id": request("echo", {"value": 1}, trace_id=...),
    "trace_id null": request("echo", trace_id=None),
    "trace_id a number": request("echo", trace_id=7),
    "trace_id a float": request("echo", trace_id=1.5),
    "trace_id a big integer": request("echo", trace_id=2**70),
    "trace_id true": request("echo", trace_id=True),
    "trace_id an object": request("echo", trace_id={"a": [1, "é"]}),
    "trace_id empty": request("echo", trace_id=""),
    # params
    "params null": request("echo", None),
    "params a list": request("echo", [1]),
    "params a string": request("echo", "x"),
    # bad input
    "not JSON": "{nope",
    "nothing at all": "",
    "two values": "{} {}",
    "JSON cut off": '{"type":"request","payload":{',
    "a list": "[1]",
    "a number": "3",
    "a string": '"x"',
    "null": "null",
    "bytes that are no text": b"\xff\xfe\xfd",
    "no type": '{"payload":{}}',
    "type null": '{"type":null,"payload":{}}',
    "type a number": '{"type":3,"payload":{}}',
    "type command": request("echo").replace('"request"', '"command"', 1),
    "type response": request("echo").replace('"request"', '"response"', 1),
    "no payload": '{"type":"request"}',
    "payload null": '{"type":"request","payload":null}',
    "payload a string": '{"type":"request","payload":"x"}',
    "payload a list": '{"type":"request","payload":[]}',
    "no service": request("echo", service=...),
    "no method": request(...),
    "no params at all": request("echo", params=None, trace_id="t").replace('"params": null, ', ""),
    "none of them": '{"type":"request","payload":{"trace_id":"t"}}',
    "service null": request("echo", service=None),
    "service a number": request("echo", service=5),
    "service empty": request("echo", service=""),
    "method null": request(None),
    "method a number": request(5),
    "method empty": request(""),
}

# Handshakes: headers of the upgrade request. The origin suffix `example.com` is allowed.
HANDSHAKES = {
    "Bearer x": {"Authorization": "Bearer secret-ann"},
    "Bearer: x": {"Authorization": "Bearer: secret-ann"},
    "Bearer :x": {"Authorization": "Bearer :secret-ann"},
    "bare x": {"Authorization": "secret-ann"},
    "many spaces": {"Authorization": "Bearer    secret-ann  "},
    "lower case bearer": {"Authorization": "bearer secret-ann"},
    "cookie": {"Cookie": "a=b; Authorization=secret-bob; c=d"},
    "quoted cookie with Bearer": {"Cookie": 'Authorization="Bearer secret-bob"'},
    "cookie with Bearer": {"Cookie": "Authorization=Bearer secret-bob"},
    "header before cookie": {"Authorization": "Bearer secret-ann", "Cookie": "Authorization=secret-bob"},
    "wrong header, right cookie": {"Authorization": "Bearer secret-of-nobody", "Cookie": "Authorization=secret-bob"},
    "cookie of another name": {"Cookie": "authorization=secret-bob"},
    "no token": {},
    "empty token": {"Authorization": "Bearer "},
    "wrong token": {"Authorization": "Bearer secret-of-nobody"},
    "another scheme": {"Authorization": "Basic secret-ann"},
    "origin of a subdomain": {"Authorization": "Bearer secret-ann", "Origin": "https://app.example.com"},
    "origin itself": {"Authorization": "Bearer secret-ann", "Origin": "https://example.com"},
    "origin with the suffix in its name": {"Authorization": "Bearer secret-ann", "Origin": "https://evilexample.com"},
    "origin with a port": {"Authorization": "Bearer secret-ann", "Origin": "https://app.example.com:8443"},
    "origin in capitals": {"Authorization": "Bearer secret-ann", "Origin": "https://APP.EXAMPLE.COM"},
    "origin of a stranger": {"Authorization": "Bearer secret-ann", "Origin": "https://stranger.test"},
    "origin null": {"Authorization": "Bearer secret-ann", "Origin": "null"},
}
