"""Lets a process make a system call that it would not make by itself, as somebody who has taken it over would. x86-64."""

import ctypes
import os
import platform
import signal
import struct

import pytest

from .waiting import wait_until

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long
_ATTACH, _DETACH, _GETREGS, _SETREGS, _STEP = 16, 17, 12, 13, 9
_WALL = 0x40000000
_NAMES = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs".split()
_ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")

CALLS = {"open": 2, "mmap": 9, "socket": 41, "connect": 42, "bind": 49, "listen": 50, "clone": 56, "fork": 57, "execve": 59, "kill": 62, "setuid": 105, "ptrace": 101, "mount": 165,
         "unshare": 272, "process_vm_readv": 310, "init_module": 175, "bpf": 321, "io_uring_setup": 425}


def _ptrace(what, pid, data=None):
    if _libc.ptrace(what, pid, None, data) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {what} of {pid}: {os.strerror(ctypes.get_errno())}")


def _stopped(pid):
    """Waits until it is stopped by us. False: it has ended; how, is left to its parent to hear."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        ours = int(stat.read().rsplit(")", 1)[1].split()[1]) == os.getpid()
    seen = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT | _WALL)
    ended = seen.si_code in (os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED)
    if not (ended and ours):  # another parent hears of an end only after the tracer
        os.waitpid(pid, _WALL)
    return not ended


def _caught_waiting(pid, registers):
    """Its registers, and it is ours; None, and it goes on: it had work to do."""
    _ptrace(_ATTACH, pid)
    assert _stopped(pid)
    _ptrace(_GETREGS, pid, registers)
    found = dict(zip(_NAMES, struct.unpack(f"{len(_NAMES)}Q", registers.raw)))
    # The instruction that got it into a system call is the one before it goes on.
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        memory.seek(found["rip"] - 2)
        if memory.read(2) == b"\x0f\x05":
            return found
    _ptrace(_DETACH, pid)
    return None


def call(pid, name, *arguments):
    """What the process's main thread gets from this system call; None: it was its last."""
    if platform.machine() != "x86_64":
        pytest.skip("knows the registers of x86-64 only")
    registers = ctypes.create_string_buffer(8 * len(_NAMES))
    before = wait_until(lambda: _caught_waiting(pid, registers), "it waits in a system call")
    changed = {**before, "rip": before["rip"] - 2, "rax": CALLS[name], "orig_rax": 2**64 - 1}
    changed.update({register: value % 2**64 for register, value in zip(_ARGUMENTS, arguments)})
    _ptrace(_SETREGS, pid, struct.pack(f"{len(_NAMES)}Q", *changed.values()))
    _ptrace(_STEP, pid)
    if not _stopped(pid):
        return None
    _ptrace(_GETREGS, pid, registers)
    result = struct.unpack(f"{len(_NAMES)}q", registers.raw)[_NAMES.index("rax")]
    # Back into the call that it was in.
    again = {**before, "rip": before["rip"] - 2, "rax": before["orig_rax"]} if before["orig_rax"] != 2**64 - 1 else before
    again["orig_rax"] = 2**64 - 1
    _ptrace(_SETREGS, pid, struct.pack(f"{len(_NAMES)}Q", *again.values()))
    _ptrace(_DETACH, pid)
    return result


def ended_by_sigsys(code):
    return code == -signal.SIGSYS


def memory_of(pid):
    """All of it that can be read, mapping by mapping."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            where, rights, *rest = line.split()
            if not rights.startswith("r") or rest[-1] in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            begin, end = (int(part, 16) for part in where.split("-"))
            if begin >= 2**63:
                continue
            memory.seek(begin)
            try:
                yield line.strip(), memory.read(end - begin)
            except OSError:
                continue  # a mapping with nothing behind it
