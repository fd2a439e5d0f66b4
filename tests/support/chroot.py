"""A machine to install on: this one's own root file system, with all that is written to it kept in memory and thrown away.

An overlay over / in a mount namespace of its own; dpkg and the programs in it are real, and the machine stays as it is.
"""

import os
import signal
import subprocess
from pathlib import Path

MOUNT = """
set -e
mount -t tmpfs -o mode=755 nuropb-test {base}
mkdir {base}/written {base}/work {base}/root
mount -t overlay -o lowerdir=/,upperdir={base}/written,workdir={base}/work nuropb-test {base}/root
mount -t proc proc {base}/root/proc
mount --rbind /dev {base}/root/dev
mount -t tmpfs -o mode=755 nuropb-test {base}/root/run
mount -t tmpfs -o mode=1777 nuropb-test {base}/root/tmp
echo mounted
exec sleep infinity
"""


class Chroot:
    """`with Chroot(folder) as machine: machine.run("dpkg", "-i", …)`. `why_not` is the reason if there is no such machine."""

    def __init__(self, folder):
        self.base = Path(folder) / "machine"
        self.base.mkdir()
        self.why_not = "needs root" if os.geteuid() != 0 else None
        self.holder = None

    def __enter__(self):
        if self.why_not:
            return self
        # The mounts live as long as this process does.
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNT.format(base=self.base)],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "mounted\n":
            self.why_not = f"no overlay over / is to be had here: {self.holder.stderr.read().strip()}"
        return self

    def __exit__(self, *_):
        if self.holder:
            self.holder.send_signal(signal.SIGKILL)
            self.holder.wait(10)
            self.holder.stdout.close()
            self.holder.stderr.close()

    def command(self, *words):
        """The command line that runs `words` on that machine, for subprocess or Process."""
        return ["nsenter", "--target", str(self.holder.pid), "--mount", "--wd=/", "chroot", str(self.base / "root"), *map(str, words)]

    def run(self, *words, code=0, **options):
        done = subprocess.run(self.command("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", *words), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, **options)
        assert done.returncode == code, f"{words}: exit code {done.returncode}\n{done.stdout}"
        return done.stdout

    def path(self, file):
        """The path of that machine's file for the test. Absolute symbolic links do not work."""
        return Path(f"/proc/{self.holder.pid}/root{self.base}/root") / str(file).lstrip("/")
