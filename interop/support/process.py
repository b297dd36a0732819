"""Child processes: output captured line by line, everything stopped at the end, waiting by polling."""

import atexit
import itertools
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "logs"
PEERS = ROOT / ".peers"

_running = []
_number = itertools.count(1)
# each run begins somewhere else, so that two runs at the same time rarely meet
_ports = itertools.cycle(12000 + (os.getpid() * 97 + i) % 19000 for i in range(19000))


def wait_until(condition, timeout=10.0, what="condition", step=0.02):
    """Polls until the condition returns something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"waited {timeout} s for {what}")
        time.sleep(step)


def free_port():
    """A port for peers that cannot pick one themselves: free for UDP and TCP now, and outside the range from which
    the system hands out ports, so that no socket opened in between takes it."""
    while True:
        port = next(_ports)
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as s:
                    s.bind(("127.0.0.1", port))
            return port
        except OSError:
            continue


class Process:
    def __init__(self, name, command, cwd=None, env=None):
        LOGS.mkdir(exist_ok=True)
        self.name = name
        self.log = LOGS / f"{next(_number):03}-{name}.log"
        self.lines = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [str(c) for c in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            text=True,
            errors="replace",
            bufsize=1,
            start_new_session=True,
        )
        _running.append(self)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with open(self.log, "w") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def say(self, line):
        with open(self.log, "a") as log:
            log.write(f"<<< {line}\n")
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_line(self, pattern, timeout=20.0, start=0):
        """The match of the first line from `start` on that contains the pattern."""
        regex = re.compile(pattern)
        end = time.monotonic() + timeout
        seen = start
        with self._changed:
            while True:
                while seen < len(self.lines):
                    match = regex.search(self.lines[seen])
                    seen += 1
                    if match:
                        return match
                left = end - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and not self._reader.is_alive()):
                    break
                self._changed.wait(min(left, 0.2))
        raise AssertionError(
            f"{self.name} did not print /{pattern}/ within {timeout} s"
            f" (exit code {self.process.poll()}); last lines:\n" + "\n".join(self.lines[-15:])
        )

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        """SIGKILL, and nothing else: what a crash looks like."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self in _running:
            _running.remove(self)
        if self.alive():
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                pass
        self._signal(signal.SIGKILL)  # whatever is left of its own session
        self.process.wait()
        self._reader.join(2)
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except OSError:
                pass

    def _signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass


@atexit.register
def stop_all():
    for process in list(_running):
        process.stop()
