"""Unit tests of scripts/lib/launcher: no process is started."""

import json
import os
import re
import signal
import socket
import sys

import pytest

from support.paths import ROOT
from support.waiting import wait_until

sys.path.insert(0, str(ROOT / "scripts" / "lib"))
from launcher.clock import LONGEST_GAP, AwakeClock  # noqa: E402
from launcher.log import MOST_LINES, Form, Log  # noqa: E402
from launcher.notice import ServiceNotice  # noqa: E402
from launcher.ready_file import ReadyFile  # noqa: E402
from launcher.signals import Signals  # noqa: E402


def test_a_pause_of_the_watcher_is_no_time():
    at = [100.0]
    clock = AwakeClock(lambda: at[0])
    seen = []
    for step in (0.5, 1.0, 8.0, 3600.0, 0.25):
        at[0] += step
        seen.append(clock.now())
    assert seen == [0.5, 1.5, 1.5 + LONGEST_GAP, 1.5 + 2 * LONGEST_GAP, 1.75 + 2 * LONGEST_GAP]


@pytest.mark.parametrize("second, whens, stops", [
    (signal.SIGTERM, [10.0, 10.003], False),
    (signal.SIGINT, [10.0, 10.9], False),
    (signal.SIGTERM, [10.0, 10.003, 10.02], False),
    (signal.SIGTERM, [10.0, 11.0], True),
    (signal.SIGINT, [10.0, 10.003, 12.5], True),
    (signal.SIGHUP, [10.0, 15.0], False),
])
def test_a_second_wish_to_stop_is_another_one_after_a_second(second, whens, stops):
    told = [(signal.SIGTERM, whens[0])]
    signals = Signals(told)
    assert signals.told_to_stop()
    signals.begin_to_stop(whens[0] + 0.001)
    assert not signals.told_to_stop()
    told += [(second, when) for when in whens[1:]]
    assert signals.told_to_stop() is stops


def test_both_signals_came_before_the_stop_began():
    signals = Signals([(signal.SIGTERM, 10.0), (signal.SIGTERM, 10.002)])
    signals.begin_to_stop(10.5)
    assert not signals.told_to_stop()
    late = Signals([(signal.SIGTERM, 10.0), (signal.SIGTERM, 12.0)])
    late.begin_to_stop(12.5)
    assert late.told_to_stop()


def test_requests_come_in_their_order():
    signals = Signals([(signal.SIGUSR1, 1.0), (signal.SIGTERM, 2.0), (signal.SIGHUP, 3.0)])
    assert [signals.next_request() for _ in range(3)] == [signal.SIGUSR1, signal.SIGHUP, None]
    assert signals.told_to_stop()


def read_all(fd):
    os.set_blocking(fd, False)
    text = b""
    try:
        while some := os.read(fd, 65536):
            text += some
    except BlockingIOError:
        pass
    return text.decode()


def test_lines_that_find_no_room_are_counted_and_said():
    ours, theirs = os.pipe()
    log = Log(theirs)
    for number in range(3 * MOST_LINES):
        log.put(f"line {number} {'x' * 100}")  # far more than a pipe holds
    assert not log.flush(0.05)
    assert log.dropped >= MOST_LINES
    text = ""

    def read():
        nonlocal text
        text += read_all(ours)
        return log.flush(0.01)
    wait_until(read, "all that waited is written")
    log.put("after")
    assert log.flush(10)
    text += read_all(ours)
    lines = text.splitlines()
    kept = [int(line.split()[1]) for line in lines if line.startswith("line ")]
    said = [int(line.split()[3]) for line in lines if "dropped" in line]
    assert kept == sorted(kept) and len(kept) + sum(said) == 3 * MOST_LINES and sum(said) == log.dropped
    assert lines[-2].endswith(f" WARNING launcher {said[-1]} lines were dropped: the reader of the log is too slow") and lines[-1] == "after"


def test_a_device_that_has_room_again_is_told_what_is_missing(folder):
    log = Log(os.open("/dev/full", os.O_WRONLY))
    for line in ("one", "two"):
        log.put(line)
    assert log.flush(10) and log.dropped == 2
    log.fd = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
    log.put("three")
    assert log.flush(10)
    notice, line = (folder / "log").read_text().splitlines()
    assert notice.endswith(" WARNING launcher 2 lines were dropped: No space left on device") and line == "three"


def test_lines_have_the_form_of_the_other_processes():
    form = Form()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING launcher edge 0 hangs", form.line("warning", "edge 0 hangs"))
    assert form.wants("info") and not form.wants("debug")
    form.follow({"format": "json", "level": "warning"})
    line = json.loads(form.line("error", 'a "quoted" café\n\x1b'))
    assert list(line) == ["time", "level", "process", "message"] and "\n" not in form.line("error", "\n")
    assert (line["level"], line["process"], line["message"]) == ("error", "launcher", 'a "quoted" café\n\x1b')
    assert form.wants("warning") and not form.wants("info")


@pytest.mark.parametrize("what", ["full device", "closed", "broken pipe"])
def test_what_can_not_be_written_is_no_error(what):
    fd = os.open("/dev/full", os.O_WRONLY)
    if what == "closed":
        os.close(fd)
    elif what == "broken pipe":
        ours, fd = os.pipe()
        os.close(ours)
    log = Log(fd)
    log.put("one")
    log.put("two")
    assert log.flush(10)
    assert log.dropped == 2


def test_what_it_tells_the_service_manager(folder):
    for name in (str(folder / "notify"), f"@nuropb-test-{os.getpid()}"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(name.replace("@", "\0"))
            manager.setblocking(False)
            environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid()), "PATH": "/bin"}
            notice = ServiceNotice(environment)
            assert environment == {"PATH": "/bin"}, "its children get none of it"
            notice.ready("2 edges")
            notice.alive()
            notice.alive()  # a quarter of the time has not passed
            notice.stopping()
            assert [manager.recv(100) for _ in range(3)] == [b"READY=1\nSTATUS=2 edges", b"WATCHDOG=1", b"STOPPING=1"]
            notice.reloading()
            assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            with pytest.raises(BlockingIOError):
                manager.recv(100)
        notice.ready("nobody hears it")
    for environment in ({}, {"NOTIFY_SOCKET": "/no/such"}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:1:2"}, {"WATCHDOG_USEC": "soon"}):
        notice = ServiceNotice(environment)
        notice.alive()
        notice.ready("")


def test_ready_files_that_can_not_be_written_are_refused(folder):
    for wrong, why in ((folder / "no" / "such", "No such file"), (folder, "not a regular file"), ("/dev/null", "not a regular file"), ("/proc/ready", "can't be written")):
        assert why in ReadyFile(wrong).why_not(), wrong
    (folder / "file").write_text("")
    assert "Not a directory" in ReadyFile(folder / "file" / "ready").why_not()
    ready = ReadyFile(folder / "ready")
    ready.path.write_text("of an earlier run")
    assert ready.why_not() is None and not ready.path.exists()
    ready.write()
    assert not ready.path.exists(), "it is not due"
    ready.due = True
    ready.write()
    assert ready.path.read_text() == "ready\n" and not list(folder.glob(".ready*"))
    ready.remove()
    ready.remove()
    assert not ready.path.exists()
    assert ReadyFile(None).why_not() is None
