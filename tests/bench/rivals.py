"""What a user might take instead: other file systems in front of a directory, from Debian's packages."""

import pathlib
import shutil
import subprocess
import time

import sides

PACKAGES = {"rclone": "rclone", "mergerfs": "mergerfs", "glusterfs": "glusterfs-server"}


def await_mount(path, process=None):
    deadline = time.monotonic() + 30
    while not path.is_mount():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise RuntimeError(f"{path}: was not mounted")
        time.sleep(0.05)


class Mounted:
    """Directories below `root`, and an unmount at the end."""

    def __init__(self, root):
        self.root = pathlib.Path(root) / self.name
        self.path = self.root / "mount"

    def make(self, *names):
        for name in names:
            (self.root / name).mkdir(parents=True)

    def __exit__(self, *_):
        subprocess.run(["umount", self.path], check=False, capture_output=True)
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def stop(self):
        pass


class Rclone(Mounted):
    """Whole files in a local cache, written back: the nearest relative."""

    name = "rclone"

    def __enter__(self):
        self.make("external", "mount", "cache")
        words = ["rclone", "mount", self.root / "external", self.path, "--vfs-cache-mode", "full",
                 "--cache-dir", self.root / "cache", "--config", self.root / "config"]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_mount(self.path, self.process)
        return self

    def stop(self):
        self.process.wait(timeout=120)


class Mergerfs(Mounted):
    """One branch: no cache, the price of FUSE alone."""

    name = "mergerfs"

    def __enter__(self):
        self.make("external", "mount")
        sides.run("mergerfs", "-o", "allow_other,use_ino,cache.files=auto-full,dropcacheonclose=false",
                  self.root / "external", self.path)
        await_mount(self.path)
        return self


class Gluster(Mounted):
    """Two bricks on this disk, as a user would join two. Its servers want an address that is not loopback."""

    name = "glusterfs"
    NETWORK = "forebay-bench"
    ADDRESS = "10.77.0.1"

    def inside(self, *words):
        return sides.run("nsenter", f"--net=/run/netns/{self.NETWORK}", *words)

    def gluster(self, *words):
        return self.inside("gluster", f"--glusterd-sock={self.root}/sock", "--mode=script", "volume", *words)

    def make_network(self):
        ip = ["ip", "-n", self.NETWORK]
        subprocess.run(["ip", "netns", "del", self.NETWORK], check=False, capture_output=True)
        sides.run("ip", "netns", "add", self.NETWORK)
        sides.run(*ip, "link", "set", "lo", "up")
        sides.run(*ip, "link", "add", "side0", "type", "veth", "peer", "name", "side1")
        sides.run(*ip, "addr", "add", f"{self.ADDRESS}/24", "dev", "side0")
        for link in ("side0", "side1"):
            sides.run(*ip, "link", "set", link, "up")

    def __enter__(self):
        self.make("work", "brick0", "brick1", "mount")
        self.make_network()
        description = pathlib.Path("/etc/glusterfs/glusterd.vol").read_text()
        description = description.replace("/var/lib/glusterd", f"{self.root}/work")
        description = description.replace("end-volume", f"    option glusterd-sockfile {self.root}/sock\nend-volume")
        (self.root / "glusterd.vol").write_text(description)
        words = ["nsenter", f"--net=/run/netns/{self.NETWORK}", "glusterd", "--no-daemon", "-f",
                 self.root / "glusterd.vol", "-p", self.root / "pid", "-l", self.root / "log"]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not (self.root / "sock").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        bricks = [f"{self.ADDRESS}:{self.root}/brick{number}" for number in range(2)]
        self.gluster("create", "bench", *bricks, "force")
        self.gluster("start", "bench")
        self.inside("glusterfs", f"--volfile-server={self.ADDRESS}", "--volfile-id=bench", "-l", self.root / "client",
                    self.path)
        await_mount(self.path)
        return self

    def stop(self):
        subprocess.run(["nsenter", f"--net=/run/netns/{self.NETWORK}", "gluster", f"--glusterd-sock={self.root}/sock",
                        "--mode=script", "volume", "stop", "bench"], check=False, capture_output=True)
        self.process.terminate()
        self.process.wait(timeout=60)
        subprocess.run(["ip", "netns", "del", self.NETWORK], check=False, capture_output=True)


ALL = [Rclone, Mergerfs, Gluster]
