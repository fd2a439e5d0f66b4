"""A container as deploy/container/compose.yaml wants it, without an engine: what a runtime does to the process is done here
with the kernel's own means. The image is the machine of a Chroot, on which the package has been installed.

It has namespaces for mounts, processes, IPC and names, and the network of this machine: networks of the compose file, and
the system calls that an engine forbids, are not tried here.
"""

import json
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import yaml

from support.paths import ROOT
from support.processes import Process

FOLDER = ROOT / "deploy/container"
IMAGE, COMPOSE = FOLDER / "Containerfile", FOLDER / "compose.yaml"

RUN = """
set -e
mount -t tmpfs -o mode=755 nuropb-test {base}
mkdir {base}/root
mount --bind {image} {base}/root
cd {base}/root
{targets}
mount -o remount,bind{read_only} {base}/root
cd {base}/root
mount -t proc proc proc
mount -t tmpfs -o mode=755 nuropb-test dev
for device in null zero full random urandom tty; do cp -a /dev/$device dev/$device; done
ln -s /proc/self/fd dev/fd
mkdir dev/shm
mount -t tmpfs -o mode=1777,size=64k nuropb-test dev/shm
{mounts}
pivot_root . mnt
umount -l mnt
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin {environment} setpriv {rights} {command}
"""


def instructions(stage):
    """[(instruction, words)] of the Containerfile's stage of that number, lines joined."""
    text = re.sub(r"^#.*\n", "", IMAGE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages = re.split(r"^(?=FROM )", text, flags=re.MULTILINE)[1:]
    return [tuple(line.split(None, 1)) for line in stages[stage].splitlines() if line.strip()]


def said(name):
    """The last instruction of that name in the image's own stage."""
    return [words.strip() for word, words in instructions(-1) if word == name][-1]


def composed():
    """compose.yaml, with what its ${NAME:-default}s are by themselves."""
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE.read_text()))


class Container:
    """`with Container(machine, "gateway", secrets, folder) as container:`, one service. `environment` and `words` are what a
    user would add to the service; `hosts` are names for this machine."""

    def __init__(self, machine, name, secrets, folder, environment=(), command=None, hosts=()):
        compose = composed()
        self.machine, self.name, self.folder, self.secrets = machine, name, folder, secrets
        self.service, self.files = compose["services"][name], compose["secrets"]
        self.environment = dict(environment)
        self.words = [*(self.service.get("entrypoint") or json.loads(said("ENTRYPOINT"))), *(command or self.service.get("command") or json.loads(said("CMD")))]
        self.hosts = folder / f"{name}.hosts"
        self.hosts.write_text("".join(f"127.0.0.1 {host}\n" for host in ("localhost", *hosts)))
        self.base = folder / f"container-{name}"
        self.base.mkdir()
        self.process = None

    def script(self):
        binds = {self.hosts: "/etc/hosts"}
        for secret in self.service.get("secrets", []):
            binds[self.secrets / Path(self.files[secret]["file"]).name] = f"/run/secrets/{secret}"
        for volume in self.service.get("volumes", []):
            binds[(FOLDER / volume["source"]).resolve()] = volume["target"]
        tmpfs = [(path, options or "mode=1777") for path, _, options in (entry.partition(":") for entry in self.service.get("tmpfs", []))]
        # Like an engine's VOLUME: empty, with the permissions that the folder has in the image.
        volume = self.machine.run("stat", "-c", "uid=%u,gid=%g,mode=%a", said("VOLUME")).strip()
        tmpfs.append((said("VOLUME"), volume))
        targets = [f"mkdir -p .{path}" for path, _ in tmpfs] + [f"mkdir -p .{Path(path).parent} && touch .{path}" for path in binds.values()]
        mounts = [f"mount -t tmpfs -o nosuid,nodev,{options} nuropb-test .{path}" for path, options in tmpfs]
        mounts += [f"mount --bind {source} .{path} && mount -o remount,bind,ro .{path}" for source, path in binds.items()]
        user, group = (self.service.get("user") or said("USER")).split(":")
        rights = f"--reuid {user} --regid {group} --clear-groups --inh-caps=-all"
        if self.service["cap_drop"] == ["ALL"]:
            rights += " --bounding-set=-all"
        if "no-new-privileges:true" in self.service["security_opt"]:
            rights += " --no-new-privs"
        return RUN.format(base=self.base, image=self.machine.base / "root", targets="\n".join(targets), mounts="\n".join(mounts),
                          read_only=",ro" if self.service["read_only"] else "", rights=rights, command=shlex.join(map(str, self.words)),
                          environment=shlex.join(f"{name}={value}" for name, value in self.environment.items()))

    def __enter__(self):
        self.process = Process(self.name, ["nsenter", "--target", str(self.machine.holder.pid), "--mount", "unshare", "--mount", "--propagation", "private", "--pid", "--fork",
                                           "--kill-child", "--ipc", "--uts", "sh", "-c", self.script()], self.folder)
        return self

    def __exit__(self, *_):
        self.process.kill()  # its process 1, and so all its processes

    def init(self):
        """The pid of its process 1 outside of the container; None while it has not started or has not executed the program yet."""
        try:
            child = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0]
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            return int(child) if any(Path(os.fsdecode(word)).name == Path(self.words[0]).name for word in words[:2]) else None
        except (OSError, IndexError):
            return None

    def inside(self):
        """{pid outside of the container: name} of all its processes."""
        found, todo = {}, [self.init()]
        while todo:
            pid = todo.pop()
            try:
                found[pid] = Path(f"/proc/{pid}/comm").read_text().strip()
                todo += [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
            except OSError:
                pass
        return found

    def execute(self, *words, code=0):
        """Like `docker exec`: runs in the container, with no more privileges than its own processes."""
        init = str(self.init())
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{init}/status").read_text().splitlines() if ":\t" in line)
        done = subprocess.run(["nsenter", "--target", init, "--mount", "--pid", "--ipc", "--uts", "--root", "--wd", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                               *(f"{name}={value}" for name, value in self.environment.items()), "setpriv", "--reuid", status["Uid"].split()[0], "--regid",
                               status["Gid"].split()[0], "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", *map(str, words)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        assert code is None or done.returncode == code, f"{words}: exit code {done.returncode}\n{done.stdout}"
        return done.returncode, done.stdout

    def stop(self, limit=60):
        """Like an engine: sends the image's stop signal to process 1; returns the exit code."""
        os.kill(self.init(), getattr(signal, said("STOPSIGNAL")))
        return self.process.popen.wait(limit)
