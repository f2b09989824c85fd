"""What is measured against each other: directories of a bare file system, of a slow one, and of a mounted cache."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOREBAY = ROOT / "build/release/forebay"
SLOWFS = ROOT / "build/release/tests/forebay_slowfs"


def run(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


class Bare:
    """A plain directory on the disk that also holds the cache."""

    name = "bare"

    def __init__(self, root):
        self.path = pathlib.Path(root) / "bare"

    def __enter__(self):
        self.path.mkdir()
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


@contextlib.contextmanager
def new_filesystem(root, kind, size_gib):
    """A directory on a new file system in a sparse image."""
    image, directory = os.path.join(root, "image"), os.path.join(root, "disk")
    with open(image, "wb") as file:
        file.truncate(size_gib << 30)
    run(f"mkfs.{kind}", "-q", image)
    os.mkdir(directory)
    run("mount", "-o", "loop", image, directory)
    try:
        yield directory
    finally:
        run("umount", directory)


class SlowOutside:
    """slowfs plays a parallel file system: `latency_us` for each call, `bandwidth` bytes per second for all. What it
    holds is in memory: the disks of a parallel file system are not the one that the cache is on. With `backing` it is
    another way to what that directory holds."""

    name = "outside"

    def __init__(self, root, latency_us, bandwidth, backing=None):
        self.memory = backing is None and tempfile.TemporaryDirectory(prefix="forebay-bench-", dir="/dev/shm")
        self.backing = pathlib.Path(backing or self.memory.name)
        self.path = pathlib.Path(root) / "outside"
        self.knobs = [f"latency_us={latency_us}", f"bandwidth={bandwidth}"]

    def __enter__(self):
        self.path.mkdir()
        # In a session of its own: Ctrl-C ends us, and we end it when nobody needs it any more.
        self.process = subprocess.Popen([SLOWFS, self.backing, self.path, *self.knobs], start_new_session=True)
        try:
            self.await_mount()
        except BaseException:
            self.__exit__()
            raise
        return self

    def await_mount(self):
        deadline = time.monotonic() + 10
        while not os.path.ismount(self.path):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("slowfs did not mount")
            time.sleep(0.01)

    def __exit__(self, *_):
        subprocess.run(["umount", self.path], check=False)
        self.process.wait(timeout=30)
        if self.memory:
            self.memory.cleanup()


class Cache:
    """A mounted cache over the directory `external`."""

    name = "forebay"
    common = ["fuse.io_uring=on"]  # settings of all caches

    def __init__(self, root, external, *settings):
        root = pathlib.Path(root)
        self.external, self.path, self.cache = external, root / "mount", root / "cache"
        self.settings = [word for setting in (*Cache.common, *settings) for word in ("--set", setting)]

    def __enter__(self):
        for directory in (self.external, self.path, self.cache):
            pathlib.Path(directory).mkdir(exist_ok=True)
        self.mount()
        return self

    def mount(self):
        run(FOREBAY, "mount", self.external, self.path, "--cache", self.cache, *self.settings)

    def __exit__(self, *_):
        subprocess.run([FOREBAY, "unmount", "--discard", self.path], check=False, capture_output=True)
        shutil.rmtree(self.cache, ignore_errors=True)

    def command(self, *words):
        return run(FOREBAY, *words)
