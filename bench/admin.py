"""Operations on meshd's admin socket."""

import json

import turns  # noqa: F401  puts tests/support on the path

from support.metrics import OverUnix


def operate(path, name, params):
    connection = OverUnix(path, timeout=60)
    try:
        key = path.with_name("admin.key").read_text()
        connection.request("POST", f"/operations/{name}", json.dumps(params, separators=(",", ":")), {"Authorization": f"Bearer {key}"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
