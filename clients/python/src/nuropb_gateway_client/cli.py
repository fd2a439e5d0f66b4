"""The client at a terminal: call a method, listen to topics, stream calls from standard input."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from typing import Any, AsyncIterator, Dict, List, Optional, TextIO

from .errors import GatewayError, NotDelivered, UnknownOutcome
from .gateway import Gateway
from .settings import Settings
from .subscriptions import Event
from .waiting import in_thread

DONE, REFUSED, USAGE, NOT_SENT, UNKNOWN = 0, 1, 2, 3, 4
STDIN = 0
TOKEN_VARIABLE = "NUROPB_GATEWAY_TOKEN"
EPILOG = f"""\
The token is read from the file that --token-file names (- is standard input), else from {TOKEN_VARIABLE}; other users of the
machine can read command lines, so it has no place there.

exit codes: 0 done; 1 the service or the gateway has said no; 2 wrong usage; 3 not sent, it may be tried again; 4 nobody knows
whether it ran. `stream` ends with the highest of its calls."""


def main(words: Optional[List[str]] = None, out: Optional[TextIO] = None) -> int:
    arguments = _parser().parse_args(words)
    out = out or sys.stdout
    try:
        return asyncio.run(_run(arguments, out))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except GatewayError as error:
        print(f"{error}", file=sys.stderr)
        return code_of(error)
    except (OSError, ValueError) as error:
        print(f"{error}", file=sys.stderr)
        return USAGE


def code_of(error: GatewayError) -> int:
    return UNKNOWN if isinstance(error, UnknownOutcome) else NOT_SENT if isinstance(error, NotDelivered) else REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m nuropb_gateway_client", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("url", metavar="URL", help="ws:// or wss://, with the path: wss://gateway.example/websocket")
    common.add_argument("--token-file", metavar="FILE")
    common.add_argument("--connect-timeout", type=float, default=15.0, metavar="SECONDS", help="for the first session (15)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="call|listen|stream")
    call = verbs.add_parser("call", parents=[common], help="call a method and print its result")
    stream = verbs.add_parser("stream", parents=[common], help="call a method for each line of standard input, which is its parameters as JSON, and print a line for each outcome")
    for verb in (call, stream):
        verb.add_argument("service", metavar="SERVICE")
        verb.add_argument("method", metavar="METHOD")
        verb.add_argument("--ttl", type=float, metavar="SECONDS", help="for a call, the way there and back included (60)")
        verb.add_argument("--idempotent", action="store_true", help="it may run twice, so it is sent again rather than left unknown")
    call.add_argument("params", metavar="PARAMS", nargs="?", default="{}", help="JSON ({})")
    stream.add_argument("--parallel", type=int, default=16, metavar="N", help="calls at a time (16)")
    listen = verbs.add_parser("listen", parents=[common], help="print a line for each event, as JSON")
    listen.add_argument("topics", metavar="TOPIC", nargs="+", help="a pattern: * for one word, # for any number")
    listen.add_argument("--count", type=int, metavar="N", help="end after so many")
    return parser


async def _run(arguments: argparse.Namespace, out: TextIO) -> int:
    params = json.loads(arguments.params) if arguments.verb == "call" else None
    if arguments.verb == "stream" and arguments.parallel < 1:
        raise ValueError("--parallel is not above 0")
    settings = Settings(connect_timeout=arguments.connect_timeout)
    async with Gateway(arguments.url, _token(arguments.token_file), settings) as gateway:
        await gateway.ready(arguments.connect_timeout)
        if arguments.verb == "call":
            result = await gateway.request(arguments.service, arguments.method, params, ttl=arguments.ttl, idempotent=arguments.idempotent)
            _print(out, result)
            return DONE
        if arguments.verb == "listen":
            return await _listen(gateway, arguments.topics, arguments.count, out)
        return await _stream(gateway, arguments, out)


def _token(file: Optional[str]) -> Optional[str]:
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    if file != "-":
        with open(file, encoding="utf-8") as opened:
            return opened.read().strip() or None
    text = b""
    while (byte := os.read(STDIN, 1)) not in (b"", b"\n"):  # what comes behind it is for others
        text += byte
    return text.decode().strip() or None


def _print(out: TextIO, value: Any) -> None:
    out.write(json.dumps(value, ensure_ascii=False) + "\n")
    out.flush()


def _line_of(event: Event) -> Dict[str, Any]:
    line: Dict[str, Any] = {"topic": event.topic, "event": event.data}
    if event.target is not None:
        line["target"] = list(event.target)
    for name in ("context", "traceparent", "dropped", "gap"):
        value = getattr(event, name)
        if value:
            line[name] = value
    return line


async def _listen(gateway: Gateway, topics: List[str], count: Optional[int], out: TextIO) -> int:
    """An event that several patterns match is one line: the gateway sends it once, and only the first tells of it."""
    seen = 0
    enough: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()

    def end(error: Optional[BaseException]) -> None:
        if enough.done():
            return
        if error is None:
            enough.set_result(None)
        else:
            enough.set_exception(error)

    def told(event: Event) -> None:
        nonlocal seen
        if enough.done():
            return
        try:
            _print(out, _line_of(event))
        except OSError as error:
            end(error)
            return
        seen += 1
        if seen == count:
            end(None)

    gateway.on("close", end)
    gateway.on("error", lambda error: print(f"{error}", file=sys.stderr))
    gateway.on("lost", lambda what: print(f"events may be missing: {what['reason']}", file=sys.stderr))
    gateway.on("event", told)
    for topic in topics:
        await gateway.subscribe(topic, lambda _: None)
    print("listening", file=sys.stderr)
    await enough
    return DONE


async def _stream(gateway: Gateway, arguments: argparse.Namespace, out: TextIO) -> int:
    worst = DONE
    turns = asyncio.Semaphore(arguments.parallel)
    running: "set[asyncio.Task[int]]" = set()
    failed: List[BaseException] = []

    async def one(number: int, text: str) -> int:
        try:
            params = json.loads(text)
        except ValueError as error:
            _print(out, {"line": number, "error": "JSONDecodeError", "description": str(error)})
            return USAGE
        try:
            result = await gateway.request(arguments.service, arguments.method, params, ttl=arguments.ttl, idempotent=arguments.idempotent)
        except GatewayError as error:
            _print(out, {"line": number, "error": error.name, "description": error.description, "retryable": error.retryable, "unknown_outcome": error.unknown_outcome})
            return code_of(error)
        _print(out, {"line": number, "result": result})
        return DONE

    def ended(task: "asyncio.Task[int]") -> None:
        nonlocal worst
        running.discard(task)
        turns.release()
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            failed.append(error)
        else:
            worst = max(worst, task.result())

    async for number, text in _lines():
        await turns.acquire()
        if failed:
            break
        task = asyncio.create_task(one(number, text))
        running.add(task)
        task.add_done_callback(ended)
    while running:
        await asyncio.wait(set(running))
    if failed:
        raise failed[0]
    return worst


async def _lines() -> "AsyncIterator[tuple[int, str]]":
    """Of standard input, read in threads: it may be a terminal, a pipe or a file. Not by sys.stdin, whose lock a thread that
    still reads would hold when the interpreter ends."""
    number, rest, there = 0, b"", True
    while there:
        read = await in_thread(os.read, STDIN, 65536)
        there = bool(read)
        *lines, rest = (rest + read).split(b"\n")
        if not there and rest:
            lines.append(rest)
        for line in lines:
            number += 1
            if line.strip():
                yield number, line.decode("utf-8", "replace")
