"""The driver of the JavaScript client in a page of Chromium. Its lines go to the page, and what the page reports comes out. It can be
reset: the page is loaded again, which costs less than another browser."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from support.browser import Browser, serving  # noqa: E402

BEGIN = """Promise.all([import("/client/index.js"), import("/drivers/javascript.mjs")]).then(([client, { Application, CAPABILITIES }]) => {
  globalThis.application = new Application(client, (report) => console.debug("saw", JSON.stringify(report)));
  return CAPABILITIES;
})"""


class Reports(list):
    """The page's console, of which the reports are passed on at once."""

    def append(self, entry):
        words = [word.get("value") for word in entry.get("args", ())]
        if words[:1] == ["saw"]:
            print(words[1], flush=True)


async def begin(page, origin):
    await page.open(f"{origin}/")
    return await page.evaluate(BEGIN)


async def main(folder):
    web = folder / "web"
    web.mkdir()
    (web / "client").symlink_to(ROOT / "clients" / "javascript")
    (web / "drivers").symlink_to(Path(__file__).resolve().parent)
    reader = asyncio.StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    with serving(web) as origin:
        async with Browser(folder) as browser:
            page = await browser.page(f"{origin}/")
            page.console = Reports()
            capabilities = await begin(page, origin)
            print(json.dumps({"saw": "ready", "client": "nuropb-gateway-client for JavaScript, in Chromium", "capabilities": capabilities, "origin": origin, "reset": True}), flush=True)
            async for line in reader:
                command = json.loads(line)
                if command["do"] == "reset":
                    await begin(page, origin)
                    print(json.dumps({"saw": "reset"}), flush=True)
                else:
                    await page.evaluate(f"void application.take({json.dumps(command)})")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="nuropb-driver-") as folder:
        asyncio.run(main(Path(folder)))
