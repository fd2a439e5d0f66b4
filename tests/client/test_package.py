"""What npm would publish: its files, its size, its types, and that it works."""

import gzip
import json
import re
import subprocess
import tarfile
from pathlib import Path

from support.javascript import CLIENT, NODE_OPTIONS, JsError, node as node_path
from support.paths import ROOT

LIMIT = 6 * 1024
SOURCES = ("index.js", "connection.js", "gateway.js", "snorky.js")


def packed(folder):
    """The folder of the unpacked package, made by npm from a copy."""
    copy = folder / "copy"
    copy.mkdir()
    for file in subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "."], cwd=CLIENT, capture_output=True, text=True, check=True).stdout.split():
        (copy / file).write_bytes((CLIENT / file).read_bytes())
    npm = Path(node_path()).resolve().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    environment = {"PATH": f"{Path(node_path()).parent}:/usr/bin:/bin", "HOME": str(folder)}
    said = subprocess.run([node_path(), npm, "pack", "--json", "--offline"], cwd=copy, capture_output=True, text=True, env=environment, timeout=60)
    assert said.returncode == 0, said.stderr
    with tarfile.open(next(copy.glob("*.tgz"))) as archive:
        archive.extractall(folder / "node_modules")
    (folder / "node_modules" / "package").rename(folder / "node_modules" / "nuropb-gateway-client")
    return folder / "node_modules" / "nuropb-gateway-client"


def test_the_package(without_peers, folder, gateway, demo):
    package = packed(folder)
    files = {str(file.relative_to(package)) for file in package.rglob("*") if file.is_file()}
    assert files == {"LICENSE", "README.md", "package.json", "index.d.ts", *(f"dist/{name}" for name in SOURCES)}
    code = b"".join((package / "dist" / name).read_bytes() for name in SOURCES)
    assert len(gzip.compress(code, 9)) < LIMIT
    description = json.loads((package / "package.json").read_text())
    assert "dependencies" not in description and description["license"] == "Apache-2.0"
    assert (package / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    (folder / "app.mjs").write_text("""
      import { connect } from "nuropb-gateway-client";
      const client = connect(process.argv[2], { token: "secret-ann" });
      console.log(await client.request(process.argv[3], "add", { a: 1, b: 2 }));
      client.close();
    """)
    said = subprocess.run([node_path(), *NODE_OPTIONS, "app.mjs", gateway.url, demo], cwd=folder, capture_output=True, text=True, timeout=30)
    assert (said.stdout, said.stderr) == ("3\n", "")


async def test_the_types_name_what_there_is(node):
    """The types are written by hand and could be wrong. (Only names are checked, not arguments.)"""
    types = (CLIENT / "index.d.ts").read_text()
    async with node:
        there = await node.run("""
          const client = await import(url), names = {};
          for (const [name, value] of Object.entries(client)) {
            const bases = [];
            for (let p = value.prototype; p && p !== Object.prototype && p !== Error.prototype; p = Object.getPrototypeOf(p)) bases.push(...Object.getOwnPropertyNames(p));
            names[name] = bases.filter((member) => !member.startsWith("_") && member !== "constructor");
          }
          return names;
        """, url=(CLIENT / "index.js").as_uri())
    assert set(there) == set(re.findall(r"^export (?:class|function) (\w+)", types, re.MULTILINE))
    declared = {}
    for name, base, body in re.findall(r"^(?:export |declare )class (\w+)(?: extends (\w+))? \{\n(.*?)^\}", types, re.MULTILINE | re.DOTALL):
        declared[name] = set(re.findall(r"^  (\w+)(?:<[^>]*>)?\(", body, re.MULTILINE)) - {"constructor"} | declared.get(base, set())
    for name, members in there.items():
        if name in declared:
            assert set(members) == declared[name], name


async def test_a_websocket_has_to_be_there(node):
    async with node:
        try:
            await node.run("connect('ws://127.0.0.1:1', {WebSocket: null})")
            raise AssertionError("it began without one")
        except JsError as error:
            assert error.name == "TypeError"
