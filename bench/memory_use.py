"""Memory of processes."""

import time


def pss(pids):
    """Bytes, private ones and this process's share of the others; without the rings, which have one size for one socket
    and for many, but whose pages are only made when the first records come by."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            total += sum(int(line.split()[1]) for line in rollup if line.startswith(("Pss_Anon:", "Pss_File:"))) * 1024
    return total


def steady(pids, within=16 * 1024):
    """Once it changes by less than so many bytes in a fifth of a second. A machine that does other things has time for it."""
    last = pss(pids)
    for _ in range(600):
        time.sleep(0.2)
        now = pss(pids)
        if abs(now - last) < within:
            return now
        last = now
    raise RuntimeError(f"memory of {pids} does not come to rest")
