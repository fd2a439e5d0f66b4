"""The machine of chroot.py, booted: a separate systemd is process 1 there, so that units run as they do anywhere.

It has namespaces for mounts, processes and control groups, and the network of this machine.
"""

import os
import subprocess
from pathlib import Path

from support.chroot import Chroot
from support.waiting import wait_until

# Nothing that would change the kernel, which both machines share.
MASKED = ("systemd-sysctl.service", "systemd-modules-load.service", "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-binfmt.service",
          "systemd-random-seed.service", "systemd-pstore.service", "systemd-hwdb-update.service", "getty.target")

BOOT = """
set -e
for groups in {groups}; do mkdir "$groups"; echo $$ >"$groups/cgroup.procs"; done
exec unshare --mount --propagation private --pid --fork --kill-child --cgroup --uts --ipc sh -c '
set -e
mount -t tmpfs -o mode=755 nuropb-test {base}
mkdir {base}/written {base}/work {base}/root
mount -t overlay -o lowerdir=/,upperdir={base}/written,workdir={base}/work nuropb-test {base}/root
cd {base}/root
mount -t proc proc proc
mount --rbind /sys sys
mount -t tmpfs -o mode=755 nuropb-test run
mount -t tmpfs -o mode=1777 nuropb-test tmp
mount -t tmpfs -o mode=755 nuropb-test dev
for device in null zero full random urandom tty; do cp -a /dev/$device dev/$device; done
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 nuropb-test dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 nuropb-test dev/pts
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
for unit in {masked}; do ln -sf /dev/null "etc/systemd/system/$unit"; done
mkdir -p nuropb-test-outside
pivot_root . nuropb-test-outside
umount -l nuropb-test-outside
exec env -i container=nuropb-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=basic.target --log-target=journal --show-status=no
'
"""


class Booted(Chroot):
    """`with Booted(folder) as machine:`, and systemd has started all of basic.target when it begins."""

    def __enter__(self):
        if self.why_not:
            return self
        # systemd makes control groups: below one of ours, in each hierarchy that it may use.
        self.groups = [group / f"nuropb-test-{os.getpid()}-{id(self)}" for group in map(Path, ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"))
                       if (group / "cgroup.procs").exists()]
        if not Path("/lib/systemd/systemd").exists():
            self.why_not = "systemd is not installed"
            return self
        script = BOOT.format(base=self.base, groups=" ".join(map(str, self.groups)), masked=" ".join(MASKED))
        self.holder = subprocess.Popen(["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: self.holder.poll() is not None or self.booted(), "systemd has booted", 60)
            if self.holder.poll() is not None:
                self.why_not = f"no systemd can be booted here: {self.holder.stderr.read().strip()}"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        super().__exit__()
        for group in self.groups if self.holder else ():
            # They can be removed once the kernel has ended the last process in them.
            for folder in [Path(at) for at, _, _ in os.walk(group, topdown=False)]:
                def removed(folder=folder):
                    try:
                        folder.rmdir()
                    except FileNotFoundError:
                        pass
                    except OSError:
                        return False
                    return True
                wait_until(removed, f"{folder} can be removed", 20)

    def init(self):
        """systemd's pid outside of the machine, or None if it has not started yet."""
        try:
            children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
            return int(children[0]) if Path(f"/proc/{children[0]}/comm").read_text() == "systemd\n" else None
        except (OSError, IndexError):
            return None

    def booted(self):
        if self.init() is None:
            return False
        said = subprocess.run(self.command("systemctl", "is-system-running"), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30).stdout
        return said.strip() in ("running", "degraded")

    def command(self, *words):
        return ["nsenter", "--target", str(self.init()), "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--root", "--wd", *map(str, words)]

    def path(self, file):
        return Path(f"/proc/{self.init()}/root") / str(file).lstrip("/")
