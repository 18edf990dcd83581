"""What holds a submission's process: limits, the kernel's own fences, and words for what they stop.

On Linux the kernel holds it: Landlock leaves of the file system Python, its packages and an empty
folder, read-only but for the folder; seccomp leaves no way to start, signal or limit another
process, to use the network, or to change what a file is allowed; in namespaces of its own, where
they are permitted, the folder is memory that is gone with the process. Elsewhere only Python's
audit hook stands, which stops accidents and no attack. `enter` says which of these it is.

https://docs.kernel.org/userspace-api/landlock.html
https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import contextlib
import ctypes
import functools
import os
import platform
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

import course_lib

FOLDER = Path(course_lib.__file__).resolve().parent
FULL = 64 << 20  # bytes that a submission may write, all files together
FILES = 1000


def enter(kept: int, scratch: str, timeout: float, memory: int) -> list[str]:
    """A session of its own, an empty folder as its home, nothing open but `kept`, and limits.

    Returns what the kernel will hold this process by: "Landlock 7", "seccomp", "namespaces".
    """
    if os.name == "posix":
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        os.closerange(3, kept)
        os.closerange(kept + 1, 4096)
    fences = [f"Landlock {_landlock_abi()}"] if _landlock_abi() else []
    fences += ["seccomp"] if _syscalls() and _libc().prctl(21, 0, 0, 0, 0) >= 0 else []
    with contextlib.suppress(OSError, AttributeError):
        _unshare(scratch)
        fences.append("namespaces")
    os.chdir(scratch)
    os.environ.update(HOME=scratch, TMPDIR=scratch, MPLCONFIGDIR=scratch, MPLBACKEND="agg")
    os.environ.update(CUDA_VISIBLE_DEVICES="", COURSE_SCALE="smoke")
    os.environ.pop("COURSE_EXPECT", None)
    tempfile.tempdir, sys.dont_write_bytecode = scratch, True
    torch.set_num_threads(1)  # a fork has lost the threads of any pool
    _limit(timeout, memory)
    return fences


def close(scratch: str, fences: list[str]) -> None:
    """From now on nothing of the course can be read, and nothing outside `scratch` be changed."""
    if fences:
        _give_up_privileges()
        if _landlock_abi():
            _landlock(scratch)
        if "seccomp" in fences:
            _seccomp()
    _guard(scratch)


def _limit(timeout: float, memory: int) -> None:
    try:
        import resource
    except ImportError:
        return
    most = {"RLIMIT_CPU": int(timeout) + 5, "RLIMIT_FSIZE": 16 << 20, "RLIMIT_CORE": 0}
    most["RLIMIT_NOFILE"] = 256
    with contextlib.suppress(OSError):  # only Linux tells what is in use, and heeds the limit
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most["RLIMIT_AS"] = pages * resource.getpagesize() + memory
    for name, value in most.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))


# ---- Python's own hook ---------------------------------------------------------------------------

# Python's audit events (https://docs.python.org/3/library/audit_events.html)
NEVER = (
    "os.fork os.forkpty os.exec os.posix_spawn os.spawn os.system os.kill os.killpg pty.spawn "
    "subprocess.Popen socket.connect socket.bind"
).split()
CHANGES = (
    "os.remove os.rename os.rmdir os.mkdir os.truncate os.chmod os.chown os.utime os.link "
    "os.symlink shutil.rmtree"
).split()


def _guard(scratch: str) -> None:
    """Says in words what is not allowed. What goes round Python goes round this."""
    never, changes = frozenset(NEVER), frozenset(CHANGES)
    hidden = (str(FOLDER) + os.sep, str(FOLDER.parent / "solutions") + os.sep)
    inside, real = os.path.realpath(scratch) + os.sep, os.path.realpath
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def refuse(event: str, args: tuple) -> None:
        if event in never:
            raise PermissionError(f"{event} is not allowed while your work is graded")
        if event != "open" and event not in changes:
            return
        writes = event != "open" or args[2] & writing
        paths = [p for p in args[: 1 if event == "open" else 2] if isinstance(p, (str, bytes))]
        for path in map(real, map(os.fsdecode, paths)):
            if writes and not path.startswith(inside) and path != os.devnull:
                raise PermissionError(f"{path} cannot be changed while your work is graded")
            source = path.startswith(hidden) and path.endswith((".py", ".pyc"))
            if source or path.endswith(".ipynb"):
                raise PermissionError(
                    "the course's own version is not to be had while your work is graded"
                )

    sys.addaudithook(refuse)


# ---- Landlock ------------------------------------------------------------------------------------

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on all machines
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
RIGHTS = {1: (1 << 13) - 1, 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}  # since which version
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
SYSTEM = (
    "/lib /lib64 /usr/lib /usr/lib64 /usr/local/lib /usr/share/fonts /usr/share/zoneinfo "
    "/etc/fonts /etc/ld.so.cache /etc/localtime /dev/null /dev/zero /dev/urandom /dev/random "
    "/proc/cpuinfo /proc/meminfo /sys/devices/system/cpu"
).split()


@functools.cache
def _landlock_abi() -> int:
    """The version of Landlock, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, _libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1))


def _landlock(scratch: str) -> None:
    abi = _landlock_abi()
    handled = sum(bits for since, bits in RIGHTS.items() if since <= abi)
    # TCP since version 4; signals and abstract sockets since version 6
    attributes = struct.pack("QQQ", handled, 3, 3)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = _done(_libc().syscall(CREATE_RULESET, attributes, len(attributes), 0))
    rules = [(path, READ_FILE | READ_DIR) for path in (*visible(), *SYSTEM)]
    rules += [(path, READ_FILE) for path in data()]
    rules += [(path, READ_DIR) for path in {path.parent for path in data()}]
    rules += [(os.devnull, READ_FILE | WRITE_FILE), (scratch, handled & ~EXECUTE & ~IOCTL_DEV)]
    for path, access in rules:
        try:
            descriptor = os.open(path, os.O_PATH)
        except OSError:
            continue
        if not os.path.isdir(path):
            access &= OF_FILES
        rule = struct.pack("=Qi", access & handled, descriptor)
        _done(_libc().syscall(ADD_RULE, ruleset, 1, rule, 0))
        os.close(descriptor)
    _done(_libc().syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


@functools.cache
def visible() -> list[str]:
    """Python and its packages, without any copy of the course."""
    packages = {
        Path(p).resolve() for p in sys.path if p.endswith(("site-packages", "dist-packages"))
    }
    roots = {Path(p).resolve() for p in (sys.prefix, sys.base_prefix, os.path.dirname(os.__file__))}
    copies = [c for folder in packages for c in folder.glob("*course_lib*")]
    home = FOLDER if FOLDER.parent in packages else FOLDER.parent
    hidden = {home, *(copy.resolve() for copy in copies), *copies}
    return sorted({str(path) for root in roots | packages for path in _without(root, hidden)})


def _without(root: Path, hidden: set[Path]) -> Iterator[Path]:
    """What covers `root` but for what is hidden below it."""
    if root in hidden:
        return
    if not any(root in path.parents for path in hidden):
        yield root
        return
    for path in root.iterdir():
        if not path.is_symlink():
            yield from _without(path, hidden)


@functools.cache
def data() -> list[Path]:
    """The course's pictures and weights, which hold no answer."""
    folders = [FOLDER / name for name in ("data", "pretrained", "studies")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if path.suffix not in (".py", ".pyc")]


# ---- seccomp -------------------------------------------------------------------------------------

# name -> its number on x86_64 and on aarch64 (-1: it has none), of what a submission never needs
DENIED = {
    # other processes
    "fork": (57, -1), "vfork": (58, -1), "execve": (59, 221), "execveat": (322, 281),
    "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "setpriority": (141, 140), "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    "ioprio_set": (251, 30), "migrate_pages": (256, 238), "move_pages": (279, 239),
    "setpgid": (109, 154), "setsid": (112, 157), "unshare": (272, 97), "setns": (308, 268),
    # the network, and memory that outlives a process
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "shmget": (29, 194), "shmat": (30, 196),
    "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191),
    "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "mq_notify": (244, 184),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219),
    # what a file is allowed, and its times, which Landlock leaves open
    "chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, -1), "fchown": (93, 55), "lchown": (94, -1), "fchownat": (260, 54),
    "utime": (132, -1), "utimes": (235, -1), "futimesat": (261, -1), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "setxattrat": (463, 463),
    "removexattrat": (466, 466), "file_setattr": (469, 469),
    # ways round all this, and what is the administrator's
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "quotactl": (179, 60), "swapon": (167, 224),
    "swapoff": (168, 225), "acct": (163, 89), "reboot": (169, 142), "kexec_load": (246, 104),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "syslog": (103, 116), "iopl": (172, -1), "ioperm": (173, -1),
}  # fmt: skip
# (number on x86_64, on aarch64), which argument, values that are refused: owners of signals,
# a terminal's input, the signal at the parent's death
REFUSED = (
    ((72, 25), 1, (8, 10, 15, 1024, 1026)),  # fcntl
    ((16, 29), 1, (0x8901, 0x8902, 0x5410, 0x5412, 0x540E, 0x541C)),  # ioctl
    ((157, 167), 0, (1,)),  # prctl
)
CLONE, CLONE3, PRLIMIT, TGKILL = (56, 220), (435, 435), (302, 261), (234, 131)
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
LOAD, EQUAL, AT_LEAST, HAS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # instructions of BPF
ALLOW, KILL, NO_PERMISSION, NO_SUCH_CALL = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026


def _syscalls() -> tuple[int, int] | None:
    """Which column of the numbers holds here, and the kernel's name of the machine."""
    known = sys.platform == "linux" and struct.calcsize("P") == 8 and sys.byteorder == "little"
    return MACHINES.get(platform.machine()) if known else None


def _seccomp() -> None:
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    code = _filter(os.getpid())
    program = Program(len(code) // 8, code)
    _done(_libc().prctl(22, 2, ctypes.byref(program), 0, 0))  # PR_SET_SECCOMP


def _filter(pid: int) -> bytes:
    """The program that the kernel runs at each system call."""
    column, machine = _syscalls()

    def instruction(operation: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("=HBBI", operation, yes, no, value)

    def when(number: int, *body: bytes) -> list[bytes]:
        return [instruction(EQUAL, number, 0, len(body)), *body]

    def argument(n: int, upper: bool = False) -> bytes:
        return instruction(LOAD, 16 + 8 * n + 4 * upper)

    deny, allow = instruction(RETURN, NO_PERMISSION), instruction(RETURN, ALLOW)
    none = instruction(RETURN, NO_SUCH_CALL)
    lines = [instruction(LOAD, 4), instruction(EQUAL, machine, 1, 0), instruction(RETURN, KILL)]
    lines += [instruction(LOAD, 0), instruction(AT_LEAST, 0x40000000, 0, 1), none]
    lines += when(CLONE3[column], none)  # its flags cannot be seen; the C library then uses clone
    lines += when(CLONE[column], argument(0), instruction(HAS, 0x10000, 0, 1), allow, deny)
    lines += when(TGKILL[column], argument(0), instruction(EQUAL, pid, 0, 1), allow, deny)
    nothing = [argument(2), instruction(EQUAL, 0, 0, 3), argument(2, True)]
    lines += when(PRLIMIT[column], *nothing, instruction(EQUAL, 0, 0, 1), allow, deny)
    for numbers, which, values in REFUSED:
        tests = [part for v in values for part in (instruction(EQUAL, v, 0, 1), deny)]
        lines += when(numbers[column], argument(which), *tests, allow)
    for numbers in DENIED.values():
        lines += when(numbers[column], deny) if numbers[column] >= 0 else []
    return b"".join([*lines, allow])


# ---- namespaces and privileges -------------------------------------------------------------------

NEW_USER, NEW_MOUNTS, NEW_IPC, NEW_NET = 0x10000000, 0x00020000, 0x08000000, 0x40000000


def _unshare(scratch: str) -> None:
    """Mounts, network and shared memory of its own, and `scratch` in memory that has an end."""
    uid, gid = os.getuid(), os.getgid()
    _done(_libc().unshare(NEW_USER | NEW_MOUNTS | NEW_IPC | NEW_NET))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text)
    options = f"size={FULL},nr_inodes={FILES}".encode()
    _done(_libc().mount(b"none", b"/", None, 0x44000, None))  # what is mounted stays in here
    _done(_libc().mount(b"tmpfs", os.fsencode(scratch), b"tmpfs", 0x6, options))


def _give_up_privileges() -> None:
    """No privilege of root's, now and in any program; death with the process it came from."""
    libc = _libc()
    _done(libc.prctl(38, 1, 0, 0, 0))  # PR_SET_NO_NEW_PRIVS
    libc.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG
    _done(libc.capset(struct.pack("Ii", 0x20080522, 0), bytes(24)))


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _done(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
