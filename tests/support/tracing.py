"""Lets a process make a system call that it would not make by itself, as an attacker who has taken it over would. x86-64 and arm64."""

import ctypes
import os
import platform
import signal
import struct

from .waiting import wait_until

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long
_ATTACH, _DETACH, _STEP, _GETREGSET, _SETREGSET = 16, 17, 9, 0x4204, 0x4205
_NT_PRSTATUS = 1
_WALL = 0x40000000
_NONE = 2**64 - 1


class _X86_64:
    NAMES = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs".split()
    ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
    NUMBER = RESULT = "rax"
    PLACE = "rip"
    INSTRUCTION = b"\x0f\x05"  # syscall
    CALLS = {"open": 2, "mmap": 9, "socket": 41, "connect": 42, "sendto": 44, "sendmsg": 46, "socketpair": 53, "bind": 49, "listen": 50, "clone": 56, "fork": 57, "execve": 59, "kill": 62, "setuid": 105, "ptrace": 101, "mount": 165,
             "unshare": 272, "process_vm_readv": 310, "init_module": 175, "bpf": 321, "io_uring_setup": 425}
    INSTEAD = {}
    # Prevents the kernel from restarting the interrupted call: the register says that there was none.
    NOT_IN_A_CALL = {"orig_rax": _NONE}
    LEAVES_BY_A_STEP = False

    @staticmethod
    def again(before, place):
        """Restores the registers, so that the interrupted call goes on."""
        return {**before, "rip": place, "rax": before["orig_rax"], "orig_rax": _NONE} if before["orig_rax"] != _NONE else before


class _Arm64:
    NAMES = [f"x{n}" for n in range(31)] + ["sp", "pc", "pstate"]
    ARGUMENTS = ("x0", "x1", "x2", "x3", "x4", "x5")
    NUMBER, RESULT = "x8", "x0"
    PLACE = "pc"
    INSTRUCTION = b"\x01\x00\x00\xd4"  # svc #0
    CALLS = {"openat": 56, "mmap": 222, "socket": 198, "socketpair": 199, "connect": 203, "sendto": 206, "sendmsg": 211, "bind": 200, "listen": 201, "clone": 220, "execve": 221, "kill": 129, "setuid": 146, "ptrace": 117, "mount": 40,
             "unshare": 97, "process_vm_readv": 270, "init_module": 105, "bpf": 280, "io_uring_setup": 425}
    INSTEAD = {"open": ("openat", -100), "fork": ("clone", int(signal.SIGCHLD))}  # calls that arm64 lacks, and what glibc makes there
    # There is no such register here; the kernel goes back to a sleep if the process goes on at that instruction, and not behind it.
    NOT_IN_A_CALL = {}
    LEAVES_BY_A_STEP = True

    @staticmethod
    def again(before, place):
        """The kernel has prepared for the same call already, or for its end with EINTR."""
        return before


_MACHINE = {"x86_64": _X86_64, "aarch64": _Arm64}.get(platform.machine())


def _ptrace(what, pid, data=None, address=None):
    if _libc.ptrace(what, pid, address, data) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {what} of {pid}: {os.strerror(ctypes.get_errno())}")


def _stopped(pid):
    """Waits until the tracer has stopped it. False: it has ended; its parent can still collect its exit status."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        ours = int(stat.read().rsplit(")", 1)[1].split()[1]) == os.getpid()
    seen = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT | _WALL)
    ended = seen.si_code in (os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED)
    if not (ended and ours):  # another parent gets the exit status only after the tracer
        os.waitpid(pid, _WALL)
    return not ended


def _registers(pid, values=None):
    """The registers of its stopped thread; `values` changes them."""
    memory = ctypes.create_string_buffer(8 * len(_MACHINE.NAMES))
    if values is not None:
        struct.pack_into(f"{len(_MACHINE.NAMES)}Q", memory, 0, *(values[name] for name in _MACHINE.NAMES))
    vector = (ctypes.c_void_p * 2)(ctypes.addressof(memory), len(memory))
    _ptrace(_GETREGSET if values is None else _SETREGSET, pid, ctypes.addressof(vector), _NT_PRSTATUS)
    return dict(zip(_MACHINE.NAMES, struct.unpack(f"{len(_MACHINE.NAMES)}Q", memory.raw)))


def _caught_waiting(pid):
    """Its registers and where the instruction is that got it into a system call, and it is ours; None, and it goes on: it had work to do."""
    _ptrace(_ATTACH, pid)
    assert _stopped(pid)
    found = _registers(pid)
    size = len(_MACHINE.INSTRUCTION)
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        # It is the one before it goes on; or that itself, where the kernel is about to make the call again.
        for place in (found[_MACHINE.PLACE] - size, found[_MACHINE.PLACE]):
            memory.seek(place)
            if memory.read(size) == _MACHINE.INSTRUCTION:
                return found, place
    _ptrace(_DETACH, pid)
    return None


def call(pid, name, *arguments):
    """The result of this system call in the process's main thread; None: it ended the process."""
    assert _MACHINE, f"knows the registers of x86-64 and arm64, not those of {platform.machine()}"
    name, *first = _MACHINE.INSTEAD.get(name, (name,))
    before, place = wait_until(lambda: _caught_waiting(pid), "it waits in a system call")
    if _MACHINE.LEAVES_BY_A_STEP:
        _registers(pid, {**before, _MACHINE.PLACE: place + len(_MACHINE.INSTRUCTION)})
        _ptrace(_STEP, pid)
        assert _stopped(pid)
    changed = {**before, **_MACHINE.NOT_IN_A_CALL, _MACHINE.PLACE: place}
    changed.update({register: value % 2**64 for register, value in zip(_MACHINE.ARGUMENTS, (*first, *arguments))})
    changed[_MACHINE.NUMBER] = _MACHINE.CALLS[name]
    _registers(pid, changed)
    _ptrace(_STEP, pid)
    if not _stopped(pid):
        return None
    result = _registers(pid)[_MACHINE.RESULT]
    _registers(pid, _MACHINE.again(before, place))
    _ptrace(_DETACH, pid)
    return result - 2**64 if result >= 2**63 else result


def ended_by_sigsys(code):
    return code == -signal.SIGSYS


def memory_of(pid):
    """All readable memory, mapping by mapping."""
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
