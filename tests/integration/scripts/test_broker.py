"""scripts/broker: a separate node on its own ports, which leaves nothing behind."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.broker import connection
from support.certificates import Certificates
from support.paths import ROOT
from support.roots import rabbitmq_root
from support.waiting import wait_until

SCRIPT = ROOT / "scripts" / "broker"


class Node:
    def __init__(self, folder, command=(str(SCRIPT),)):
        self.folder, self.command = folder, command

    def run(self, *words, check=True):
        done = subprocess.run([*self.command, *words], env={**os.environ, "NUROPB_BROKER_DIR": str(self.folder)},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def say(self, *words):
        return self.run(*words).stdout.strip()

    def processes(self):
        """Every process whose command line or environment names the node's folder."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                except OSError:
                    continue
                if str(self.folder).encode() in words:
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
        return found

    def leaves_nothing(self):
        """Erlang's helpers end by themselves, a moment after the node."""
        wait_until(lambda: not self.processes(), lambda: f"nothing is left: {self.processes()}")


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def ports(node):
    lines = dict(line.split("=", 1) for line in (node.folder / "settings").read_text().split())
    return {name: value for name, value in lines.items() if name.endswith("port")}


@pytest.fixture
def node(folder):
    made = Node(folder / "node")
    yield made
    made.run("stop")


def test_a_node_from_start_to_end(node):
    assert node.run("status", check=False).returncode == 3
    node.run("start")
    url = node.say("url")
    assert node.run("status").stdout.startswith("running, pid")
    with connection(url) as link:
        link.channel().queue_declare("kept", durable=True)
    node.run("start")  # once more changes nothing
    assert node.say("url") == url
    assert "kept" in node.say("ctl", "--quiet", "list_queues", "name")

    node.run("restart")
    assert node.say("url") == url, "a restart keeps port, user and password"
    with connection(url) as link:
        link.channel().queue_declare("kept", passive=True)

    node.run("kill")
    assert node.run("status", check=False).returncode == 3
    assert node.run("url", check=False).returncode == 3
    node.run("start")
    with connection(url) as link:
        link.channel().queue_declare("kept", passive=True)

    node.run("stop")
    node.leaves_nothing()
    assert not [name for name, port in ports(node).items() if listening(port)]
    node.run("stop")  # once more is no mistake


def test_after_a_kill_stop_cleans_up_too(node):
    node.run("start")
    node.run("kill")
    node.run("stop")
    node.leaves_nothing()
    assert not listening(ports(node)["epmd_port"])


def test_a_suspended_node_is_silent_and_comes_back(node):
    node.run("start")
    url, pid = node.say("url"), int(node.say("pid"))
    node.run("suspend")
    assert "T" in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    node.run("resume")
    with connection(url):
        pass
    node.run("suspend")
    node.run("stop")
    node.leaves_nothing()


def test_two_nodes_do_not_know_of_each_other(node, folder):
    other = Node(folder / "other")
    try:
        node.run("start")
        other.run("start")
        assert urlsplit(node.say("url")).port != urlsplit(other.say("url")).port
        node.run("stop")
        with connection(other.say("url")):
            pass
    finally:
        other.run("stop")


def mounted(root):
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(root) in line]


def test_the_rabbitmq_of_another_release(node, folder):
    root = rabbitmq_root()
    made = Certificates(folder / "certificates")
    node.run("start", "--root", root, "--tls", made.certificate, made.key, made.ca)
    assert node.say("ctl", "version").startswith("4.") and mounted(root) == []
    with connection(node.say("url")) as link:
        link.channel().queue_declare("kept", durable=True)
    # The root is kept with the node, and a folder of the test is at the same place for it.
    node.run("restart")
    assert node.say("ctl", "version").startswith("4.")
    with connection(node.say("url")) as link:
        link.channel().queue_declare("kept", passive=True)
    refused = node.run("start", "--root", "/", check=False)
    assert refused.returncode == 1 and "stop it first" in refused.stderr
    node.run("kill")
    node.run("stop")
    node.leaves_nothing()
    assert not [name for name, port in ports(node).items() if listening(port)] and mounted(root) == []


def test_the_environment_says_whose_rabbitmq_a_new_node_is(node, monkeypatch):
    root = rabbitmq_root()
    monkeypatch.setenv("NUROPB_BROKER_ROOT", root)
    monkeypatch.setenv("NUROPB_BROKER_CONFIG", "heartbeat = 7\nchannel_max = 77")
    node.run("start", "--config-line", "heartbeat = 8")
    assert node.say("ctl", "version").startswith("4.")
    environment = node.say("ctl", "--quiet", "environment").replace(" ", "")
    assert "{heartbeat,8}" in environment and "{channel_max,77}" in environment
    monkeypatch.delenv("NUROPB_BROKER_ROOT")
    monkeypatch.delenv("NUROPB_BROKER_CONFIG")
    node.run("restart")
    assert node.say("ctl", "version").startswith("4.")


@pytest.mark.parametrize("what", ["not there", "empty"])
def test_a_root_without_rabbitmq_is_refused(node, folder, what):
    (folder / "empty").mkdir()
    done = node.run("start", "--root", folder / what, check=False)
    assert done.returncode == 1 and ("--root takes" if what == "not there" else "scripts/debian-root RELEASE") in done.stderr, done.stderr


def test_tls_management_and_lines_of_its_config(node, folder):
    made = Certificates(folder / "certificates")
    node.run("start", "--tls", made.certificate, made.key, made.ca, "--management", "--config-line", "heartbeat = 7")
    seen = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{urlsplit(node.say('url', '--tls')).port}", "-CAfile", made.ca, "-verify_return_error"],
                          input="", capture_output=True, text=True, timeout=60)
    assert "Verify return code: 0" in seen.stdout, seen.stdout + seen.stderr
    subprocess.run(["curl", "-fsS", node.say("url", "--management") + "api/overview"], check=True, capture_output=True, timeout=60)
    assert "{heartbeat,7}" in node.say("ctl", "--quiet", "environment").replace(" ", "")


def test_a_stale_pid_file_harms_nobody(node):
    """After a reboot its pid may be another process's."""
    node.run("start")
    node.run("kill")
    innocent = subprocess.Popen(["sleep", "600"])
    try:
        (node.folder / "pid").write_text(f"{innocent.pid}\n")
        assert node.run("status", check=False).returncode == 3
        node.run("stop")
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_the_url_of_a_node_that_does_not_run_is_not_given(node):
    """It would be mistaken for a port with a listening broker."""
    for _ in range(2):
        done = node.run("url", check=False)
        assert done.returncode == 3 and not done.stdout and str(node.folder) in done.stderr, done
        assert not node.folder.exists(), "asking makes no node"


def test_a_start_that_fails_says_so_and_leaves_nothing(node):
    done = node.run("start", "--config-line", "no.such.key = 1", check=False)
    assert done.returncode == 1 and "ended while starting" in done.stderr, done.stderr
    node.leaves_nothing()
    node.run("start", "--config-line", "heartbeat = 7")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_unprivileged_user_may_run_one():
    # Beside the repository, which may be where only root can read.
    home = Path(subprocess.run(["mktemp", "-d", "/tmp/nuropb-nobody.XXXXXX"], check=True, capture_output=True, text=True).stdout.strip())
    try:
        shutil.copy(SCRIPT, home / "broker")
        shutil.chown(home, 65534, 65534)
        node = Node(home / "node", ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "-C", str(home), str(home / "broker")))
        try:
            node.run("start")
            with connection(node.say("url")):
                pass
            assert os.stat(f"/proc/{node.say('pid')}").st_uid == 65534
            assert node.say("ctl", "--quiet", "list_vhosts", "name") == "name\n/"
        finally:
            node.run("stop")
        node.leaves_nothing()
    finally:
        shutil.rmtree(home)


def test_it_says_how_it_is_used(node):
    assert "usage:" in node.say("--help")
    assert node.run("no-such-word", check=False).returncode == 2
    done = node.run("url", "--no-such-option", check=False)
    assert done.returncode == 1 and "unknown option" in done.stderr
