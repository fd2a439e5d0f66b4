"""Memory of processes."""

import time


def pss(pids):
    """Bytes: private ones and this process's share of the others; without the rings, whose size does not depend on the number of
    sockets, but whose pages are only allocated when the first records are written."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            total += sum(int(line.split()[1]) for line in rollup if line.startswith(("Pss_Anon:", "Pss_File:"))) * 1024
    return total


def steady(pids, within=16 * 1024):
    """Waits until the memory changes by less than this many bytes in a fifth of a second. The time limit allows for other load."""
    last = pss(pids)
    for _ in range(600):
        time.sleep(0.2)
        now = pss(pids)
        if abs(now - last) < within:
            return now
        last = now
    raise RuntimeError(f"memory of {pids} does not become stable")
