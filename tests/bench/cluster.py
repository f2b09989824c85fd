"""A cluster on network namespaces of this machine, and the links between its hosts."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import sides

KERNEL_TICKS = 250  # in a second, at least: a bucket must hold what comes between two of them
STORAGED_PORT = 7702
# storaged sees another outside than all others: the one at $views/NODE/outside.
PROGRAM = """#!/bin/sh
if [ "$1" = storaged ]; then
    node=${3%/*}
    exec unshare --mount sh -c 'mount --bind "$0" "$1" && shift && exec "$@"' \\
        "@VIEWS@/${node##*/}/outside" "@EXTERNAL@" "@FOREBAY@" "$@"
fi
exec "@FOREBAY@" "$@"
"""


def run_apart(*words):
    """As sides.run(), but the program is not in our terminal's session, and is never left half way: when we are to end,
    it is asked to end, and waited for."""
    process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    try:
        out, err = process.communicate()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(str(word) for word in words)}: {err.strip()}")
    return out


class Host:
    """One of the hosts: the network namespace, and its link to the bridge."""

    def __init__(self, namespace, bridge):
        self.namespace, self.bridge = namespace, bridge
        link = self.look("link")
        ports = json.loads(sides.run("ip", "-j", "-n", bridge, "link", "show"))
        self.port = next(port["ifname"] for port in ports if port["ifindex"] == link["link_index"])
        addresses = self.look("address")["addr_info"]
        self.address = next(entry["local"] for entry in addresses if entry["family"] == "inet")

    def look(self, what, *options):
        return json.loads(sides.run("ip", "-j", *options, "-n", self.namespace, what, "show", "dev", "eth0"))[0]

    def inside(self, *words):
        """The same command, for this host."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *(str(word) for word in words)]

    def limit(self, bytes_per_second):
        """For what the host sends and for what it gets; 0: as fast as it goes."""
        for namespace, device in ((self.namespace, "eth0"), (self.bridge, self.port)):
            if bytes_per_second == 0:
                subprocess.run(["tc", "-n", namespace, "qdisc", "del", "dev", device, "root"], check=False,
                               capture_output=True)
                continue
            burst = max(256 << 10, 2 * bytes_per_second // KERNEL_TICKS)
            sides.run("tc", "-n", namespace, "qdisc", "replace", "dev", device, "root", "tbf", "rate",
                      f"{bytes_per_second * 8}bit", "burst", burst, "latency", "50ms")

    def count_apart(self, *matches):
        """From now on counts what this host sends, apart from the rest, if it is IP and one of `matches` of u32 fits."""
        tc = ["tc", "-n", self.namespace]
        sides.run(*tc, "qdisc", "replace", "dev", "eth0", "root", "handle", "1:", "htb", "default", "1")
        for number in (1, 2):
            sides.run(*tc, "class", "add", "dev", "eth0", "parent", "1:", "classid", f"1:{number}", "htb", "rate", "90gbit",
                      "burst", "64mb")
        for priority, (match, apart) in enumerate(matches, start=1):
            sides.run(*tc, "filter", "add", "dev", "eth0", "parent", "1:", "protocol", "ip", "prio", priority, "u32",
                      *(word for pair in match for word in ("match", *pair.split())), "flowid", "1:2" if apart else "1:1")

    def counted(self):
        """(bytes that were counted apart, the others)"""
        text = sides.run("tc", "-s", "-n", self.namespace, "class", "show", "dev", "eth0")  # it knows no JSON for these
        bytes_of = dict(re.findall(r"^class htb (\S+) .*\n Sent (\d+) bytes", text, flags=re.M))
        return int(bytes_of["1:2"]), int(bytes_of["1:1"])


class Cluster:
    """Nodes are called n1, n2, ...; the first one has mgmtd and metad. With `views`, each storaged sees the outside as it
    is at views/NODE/outside."""

    name = "forebay"
    common = ["fuse.io_uring=on"]  # settings of all clusters

    def __init__(self, root, nodes, external, *settings, views=None):
        self.root = pathlib.Path(root) / "cluster"
        self.external, self.views = pathlib.Path(external), views
        self.names = [f"n{number}" for number in range(1, nodes + 1)]
        self.settings = [word for setting in (*Cluster.common, *settings) for word in ("--set", setting)]
        self.program = sides.FOREBAY

    def __enter__(self):
        self.root.mkdir()
        self.external.mkdir(exist_ok=True)
        (self.root / "nodes").write_text("".join(name + "\n" for name in self.names))
        if self.views is not None:
            self.program = self.root / "forebay"
            text = PROGRAM.replace("@VIEWS@", str(self.views)).replace("@EXTERNAL@", str(self.external))
            self.program.write_text(text.replace("@FOREBAY@", str(sides.FOREBAY)))
            self.program.chmod(0o755)
        try:
            run_apart(*self.command("start"), "-l", self.external, *self.settings)
            self.hosts = [self.host_of(name) for name in self.names]
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def command(self, what):
        return [sides.FOREBAY, "cluster", what, "-n", self.root / "nodes", "-d", self.root / "data", "-c",
                self.root / "mounts", "--launcher", "netns", "--program", self.program]

    def stop(self):
        try:
            run_apart(*self.command("stop"), "--discard")
        except RuntimeError as error:
            print(f"bench: {error}", file=sys.stderr)
            self.end_by_force()
        # Not the mounts: were one still there, what is in it would go.
        for name in ("data", "nodes", "forebay"):
            path = self.root / name
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        for path in (*(self.mount(number) for number in range(1, len(self.names) + 1)), self.root / "mounts", self.root):
            with contextlib.suppress(OSError):
                path.rmdir()

    def end_by_force(self):
        """What does not end when it is asked to. The directory is new and has a name of its own: who has it in his words
        was started by us."""
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if words[0] == bytes(sides.FOREBAY) and any(word.startswith(bytes(self.root)) for word in words):
                    os.kill(int(path.parent.name), signal.SIGKILL)
        for number in range(1, len(self.names) + 1):
            subprocess.run(["umount", "--lazy", self.mount(number)], check=False, capture_output=True)
        with contextlib.suppress(RuntimeError):
            run_apart(*self.command("stop"), "--discard")  # the network

    def mount(self, node):
        return self.root / "mounts" / f"n{node}"

    def host(self, node):
        return self.hosts[node - 1]

    def pid(self, node, role):
        return int((self.root / "data" / f"n{node}" / f"{role}.pid").read_text())

    def secret_file(self, node):
        return self.root / "data" / f"n{node}" / "secret"

    def host_of(self, name):
        running = os.stat(f"/proc/{self.pid(self.names.index(name) + 1, 'storaged')}/ns/net")
        for path in pathlib.Path("/run/netns").glob(f"fb-*-{name}"):
            if os.path.samestat(path.stat(), running):
                return Host(path.name, path.name[:-len(name) - 1])
        raise RuntimeError(f"{name}: has no network namespace")

    def run(self, *words):
        return sides.run(sides.FOREBAY, *words)

    def targets(self, node=1):
        return json.loads(self.run("status", "--json", self.mount(node)))["targets"]

    def end_storaged(self, node):
        """From then on the node has no target; returns when that is known."""
        os.kill(self.pid(node, "storaged"), signal.SIGTERM)
        deadline = time.monotonic() + 60
        while any(target["node"] == f"n{node}" and target["reachability"] == "online" for target in self.targets(node)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the target of n{node} is not missed")
            time.sleep(0.1)
