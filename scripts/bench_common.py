"""What the benchmarks share: programs, servers that they start and end, and what is known of a process and the machine."""

import datetime
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "bench"
PEERS = Path(os.environ.get("LANDFALL_PEERS", ROOT / "target/peers/bin"))
POLL_SECONDS = 0.02


def program(name):
    """Where a program is: ours to build first, then Debian's, then whatever PATH has."""
    for folder in [PEERS, Path("/usr/bin"), Path("/usr/sbin")]:
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    found = shutil.which(name)
    if not found:
        sys.exit(f"bench: {name} is not installed: run scripts/peers")
    return found


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def target_folder():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


# --- processes -------------------------------------------------------------------------------------------------


def process_cpu(pid):
    """User and system seconds of a process and its waited-for children so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def process_peak(pid):
    """The largest resident set of a process so far, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def family(pid):
    """A process and all that it has started and that still run."""
    members = [pid]
    for member in members:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            members += [int(child) for child in children.read_text().split()]
    return members


# --- servers ---------------------------------------------------------------------------------------------------


class Server:
    """A daemon of this benchmark, in a folder of its own, ended by its own pid."""

    def __init__(self, command, folder, ready):
        self.folder = folder
        self.log = open(folder / "log", "wb")
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while not ready():
            if self.child.poll() is not None or time.monotonic() > deadline:
                self.stop()
                sys.exit(f"bench: {command[0]} did not start:\n{(folder / 'log').read_text()[-4000:]}")
            time.sleep(POLL_SECONDS)

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.log.close()


def answers(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(address) == 0


class Registry(Server):
    """Debian's docker-registry over a folder."""

    def __init__(self, folder, root):
        folder.mkdir(parents=True, exist_ok=True)
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        config = folder / "config.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage:\n  filesystem: {{rootdirectory: {root}, maxthreads: 100}}\n"
            f"http: {{addr: {self.address}}}\n"
        )
        command = [program("docker-registry"), "serve", str(config)]
        super().__init__(command, folder, lambda: answers(socket.AF_INET, ("127.0.0.1", port)))

    def tags(self):
        return len(list(self.root.glob("docker/registry/v2/repositories/**/_manifests/tags/*/current/link")))


# --- the machine -----------------------------------------------------------------------------------------------


def version(name, *words):
    """What a program says of its version."""
    done = subprocess.run([program(name), *words], capture_output=True, text=True)
    told = (done.stdout + done.stderr).replace(",", " ").replace("/", " ").split()
    return next((word for word in told if word[:1] in "v0123456789" and "." in word), "?")


def print_machine(load_before):
    cpu = Path("/proc/cpuinfo").read_text()
    field = lambda name: next((line.split(":")[1].strip() for line in cpu.splitlines() if line.startswith(name)), "?")
    flags = field("flags").split()
    has = ", ".join(f"{flag} {'yes' if flag in flags else 'no'}" for flag in ["sha_ni", "avx2", "avx512f"])
    memory = next(line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    disk = subprocess.run(["stat", "-f", "-c", "%T", str(WORK)], capture_output=True, text=True).stdout.strip()
    command = " ".join([f"scripts/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    print(f"`{command}`, {datetime.date.today()}: {os.cpu_count()} cores {field('model name')} ({has}), ")
    print(f"{int(memory) // 2**20} GiB, Linux {platform.release()}, {disk}; load average before and after: {load_before}, {os.getloadavg()[0]:.1f}.  ")
