"""deploy/container: the image's file and the compose file name what there is, and the image's processes run as the compose file
says they do (support/container.py), against a real RabbitMQ. What an engine adds has been tried by hand: docs/tasks/containers.md."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from support.chroot import Chroot
from support.consumer import Consumer
from support.container import COMPOSE, FOLDER, Container, composed, instructions, said
from support.gateway import health
from support.paths import ROOT, binary
from support.ports import free_port
from support.services import unique
from support.waiting import eventually, wait_until

GATEWAY_UID = "8880"


@pytest.fixture(scope="module")
def secrets(module_folder):
    """make-secrets creates the secrets; a second run changes nothing."""
    def made():
        subprocess.run([FOLDER / "make-secrets", module_folder / "secrets"], check=True, timeout=60)
        return {file.name: (file.read_bytes(), oct(file.stat().st_mode & 0o777)) for file in (module_folder / "secrets").iterdir()}
    files = made()
    assert made() == files and oct((module_folder / "secrets").stat().st_mode & 0o777) == "0o700"
    assert {mode for _, mode in files.values()} == {"0o644"}
    return module_folder / "secrets"


def names_of(secrets):
    return {file.name for file in secrets.iterdir()}


# What stands in the files.
def test_the_image_is_made_of_what_there_is(package):
    shown = {line.lstrip("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((ROOT / name).exists() for name in shown), shown
    missing = {path.name for path in ROOT.iterdir() if subprocess.run(["git", "-C", ROOT, "ls-files", "--error-unmatch", path.name], capture_output=True).returncode == 0} - shown
    assert missing <= {".dockerignore", ".gitignore", ".ci", ".clang-format", ".clang-tidy", ".gitattributes", "CONTRIBUTING.md", "SECURITY.md"}, f"not in the image's context: {missing}"
    for stage in (0, -1):
        for word, words in instructions(stage):
            if word == "COPY" and not words.startswith("--from"):
                *sources, _ = words.split()
                assert all((ROOT / source).exists() for source in sources), words
    listed = subprocess.run([ROOT / "scripts/install-packages", "--package", "--list"], capture_output=True, text=True, check=True).stdout.split()
    assert {"g++", "cmake", "dpkg-dev", "file"} <= set(listed) and "rabbitmq-server" not in listed
    depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], capture_output=True, text=True, check=True).stdout
    (installed,) = [words for word, words in instructions(-1) if word == "RUN" and "apt-get install" in words]
    for name in re.findall(r"systemd-standalone-\w+", installed):
        assert name in depends, f"{name} stands in for none of: {depends}"


def test_the_compose_file_names_what_there_is(secrets):
    compose = composed()
    services = compose["services"]
    assert set(services) == {"rabbitmq", "gateway", "demo"}
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"] and service["read_only"] and service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged") and "environment" not in service, f"{name}: a password there is seen by who may inspect it"
        for volume in service.get("volumes", []):
            if isinstance(volume, dict):
                source = COMPOSE.parent / volume["source"]
                assert source.exists() or source.parent.name == "secrets" and source.name in names_of(secrets), volume
            else:
                assert volume.split(":")[0] in compose["volumes"]
        assert set(service["networks"]) <= set(compose["networks"]) and set(service.get("secrets", [])) <= set(compose["secrets"])
        if build := service.get("build"):
            assert (COMPOSE.parent / build["context"]).resolve() == ROOT and (ROOT / build["dockerfile"]).exists()
        for other, until in service.get("depends_on", {}).items():
            assert until == {"condition": "service_healthy"} and "test" in services[other]["healthcheck"]
    for secret in compose["secrets"].values():
        assert Path(secret["file"]).name in names_of(secrets)
    ignored = subprocess.run(["git", "-C", ROOT, "check-ignore", FOLDER / "secrets/tokens.toml"], capture_output=True)
    assert ignored.returncode == 0 and "deploy/container/secrets" in (ROOT / ".dockerignore").read_text()

    gateway = services["gateway"]
    settings = tomllib.loads((FOLDER / "gateway.toml").read_text())
    assert compose["networks"]["mesh"] == {"internal": True} and services["rabbitmq"]["networks"] == ["mesh"] and "ports" not in services["rabbitmq"]
    assert str(settings["listen"]["port"]) == said("EXPOSE") == gateway["ports"][0].split(":")[-1]
    # Nothing that they name is left to the engine's guess.
    assert json.loads(said("HEALTHCHECK").split("CMD", 1)[1]) == gateway["healthcheck"]["test"][1:]
    assert "--from=build /package/" in [words for word, words in instructions(-1) if word == "COPY"][0]
    host = re.search(r"@([\w.-]+):", settings["amqp"]["urls"][0])[1]
    assert host in services and settings["amqp"]["password_file"] == "/run/secrets/amqp-password" and "amqp-password" in gateway["secrets"]
    checked = subprocess.run([binary("nuropb-ctl"), "--config", FOLDER / "gateway.toml", "config", "check", "--only-settings"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    longest = json.loads(subprocess.run([binary("nuropb-meshd"), "--config", FOLDER / "gateway.toml", "--print-config"], capture_output=True, text=True, check=True).stdout)["drain"]
    assert int(gateway["stop_grace_period"].rstrip("s")) > sum(longest.values()) / 1000 + 10
    # The broker's first user is the one that both connect as, with the password of that file.
    broker = (secrets / "rabbitmq.conf").read_text()
    assert f"default_pass = {(secrets / 'amqp-password').read_text()}\n" in broker
    assert re.search(r"default_user = (\S+)", broker)[1] == re.search(r"//(\w+)@", settings["amqp"]["urls"][0])[1]
    known = subprocess.run([binary("nuropb-demo-service"), "--help"], capture_output=True, text=True, check=True).stdout
    assert all(word in known for word in services["demo"]["command"] if word.startswith("--"))


# What runs.
@pytest.fixture(scope="module")
def image(module_folder, package):
    """A machine with what the last stage of the Containerfile puts there; its own commands, but for the installation, which
    would need Debian's mirror: the machine has what the package depends on."""
    folder = module_folder / "image"
    folder.mkdir()
    with Chroot(folder) as machine:
        if machine.why_not:
            pytest.skip(f"no container is started: {machine.why_not}")
        shutil.copy(package, machine.path("/tmp/package.deb"))
        for word, words in instructions(-1):
            if word == "COPY" and not words.startswith("--from"):
                source, target = words.split()
                shutil.copy(ROOT / source, machine.path(target))
            for command in words.split("&&") if word == "RUN" else ():
                if "apt-get install" in command:
                    machine.run("dpkg", "--force-unsafe-io", "--no-pager", "-i", "/tmp/package.deb")
                elif not command.split()[0] in ("apt-get", "rm"):
                    machine.run("sh", "-ec", command)
        yield machine


class Stack:
    """The gateway's and the demo's service, beside the tests' broker in place of the compose file's."""

    def __init__(self, image, secrets, broker_url, folder):
        self.port, self.demo_name = free_port(), unique("demo")
        user, password, port = re.search(r"//(.*):(.*)@[^:]*:(\d+)", broker_url).groups()
        self.password = password
        ours = folder / "secrets"
        shutil.copytree(secrets, ours)
        (ours / "amqp-password").write_text(password)
        self.token = re.search(r'tokens\."(\w+)"', (ours / "tokens.toml").read_text())[1]
        url = f"amqp://{user}@rabbitmq:{port}/"
        self.gateway = Container(image, "gateway", ours, folder, hosts=["rabbitmq"], environment={
            "NUROPB_AMQP_URLS": url, "NUROPB_LISTEN_PORT": str(self.port), "NUROPB_GATEWAY_SERVICE": unique("contained")})
        command = [url if word.startswith("amqp://") else word for word in composed()["services"]["demo"]["command"]]
        self.demo = Container(image, "demo", ours, folder, hosts=["rabbitmq"], command=[*command, "--service", self.demo_name])

    async def round_trip(self):
        async with await Consumer.open(f"ws://127.0.0.1:{self.port}/websocket", token=self.token) as consumer:
            assert await consumer.result(self.demo_name, "echo", {"n": 1}) == {"n": 1}


def is_ready(container):
    """Whether the compose file's health check succeeds."""
    return container.init() and container.execute(*container.service["healthcheck"]["test"][1:], code=None)[0] == 0


async def test_it_runs_as_the_compose_file_says(image, secrets, broker_url, folder):
    stack = Stack(image, secrets, broker_url, folder)
    with stack.gateway as gateway, stack.demo as demo:
        await eventually(lambda: is_ready(gateway) and health(stack.port)[1].get("broker") == "ready", gateway.process.tail, 90)
        await eventually(lambda: "ready" in demo.process.log(), demo.process.tail, 60)
        await stack.round_trip()

        # Each process is nobody of note, and can't become anybody.
        assert set(gateway.inside().values()) == {"python3", "nuropb-meshd", "nuropb-edge", "nuropb-dialer", "nuropb-log", "nuropb-sockets"}, gateway.inside()
        for container in (gateway, demo):
            for pid, name in container.inside().items():
                status = Path(f"/proc/{pid}/status").read_text()
                assert re.search(rf"^Uid:\t{GATEWAY_UID}\t{GATEWAY_UID}\t", status, re.MULTILINE), f"{name}: {status}"
                assert re.findall(r"^Cap(?:Inh|Prm|Eff|Bnd|Amb):\t0+$", status, re.MULTILINE) and status.count("\t0000000000000000\n") >= 5 and "NoNewPrivs:\t1" in status, f"{name}: {status}"
                if name in ("nuropb-edge", "nuropb-dialer", "nuropb-meshd", "nuropb-log"):
                    assert "Seccomp:\t2" in status, f"{name}: its own list of system calls is not in force\n{status}"
                if name != "nuropb-edge":  # nobody can look into one, not even root
                    assert stack.password.encode() not in Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes(), name
        assert gateway.execute("touch", "/etc/x", code=None)[0] != 0 and gateway.execute("touch", "/usr/bin/x", code=None)[0] != 0
        # What is left of 64 KiB in /dev/shm is all of it: rings of 16 MiB for each edge are elsewhere.
        assert gateway.execute("ls", "-A", "/dev/shm")[1] == ""

        # An edge is killed: another comes, and process 1 buries whatever is left behind in the container.
        gateway.execute("sh", "-c", "(true & true &)")
        edge = next(pid for pid, name in gateway.inside().items() if name == "nuropb-edge")
        subprocess.run(["kill", "-KILL", str(edge)], check=True)
        await eventually(lambda: re.search(r"edge \d ended after .*SIGKILL", gateway.process.log()), gateway.process.tail, 60)
        await eventually(lambda: len(re.findall(r"edge \d started", gateway.process.log())) == 3 and is_ready(gateway), gateway.process.tail, 60)
        def zombies():
            return [pid for pid in gateway.inside() if re.search(r"^State:\tZ", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)]
        await eventually(lambda: not zombies(), lambda: f"no zombie is left: {gateway.inside()}", 60)
        await stack.round_trip()

        assert gateway.stop() == 0 and "stopped" in gateway.process.log(), gateway.process.tail()
        assert demo.stop() == 0, demo.process.tail()
    assert stack.password not in gateway.process.log() and stack.token not in gateway.process.log()


def test_what_is_missing_is_said(image, secrets, folder):
    """Without the secrets it exits at once, permanently, and with a reason."""
    empty = folder / "secrets"
    shutil.copytree(secrets, empty)
    (empty / "tokens.toml").write_text("")
    (empty / "tokens.toml").chmod(0o600)  # of another user
    with Container(image, "gateway", empty, folder, environment={"NUROPB_LISTEN_PORT": str(free_port())}, hosts=["rabbitmq"]) as gateway:
        wait_until(lambda: not gateway.process.running(), gateway.process.tail, 60)
        assert gateway.process.popen.returncode == 78 and "/run/secrets/tokens.toml" in gateway.process.log(), gateway.process.tail()
