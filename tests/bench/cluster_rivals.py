"""What a cluster is compared with: the network itself, and GlusterFS over it."""

import contextlib
import json
import pathlib
import subprocess
import time

import rivals
import sides


def iperf(client, server, seconds, reverse):
    """MB/s of one stream between two hosts; `reverse`: from the server to the client."""
    process = subprocess.Popen(server.inside("iperf3", "-s", "-1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    try:
        await_port(server, 5201, process)
        words = ["iperf3", "-c", server.address, "-J", "-t", seconds, *(["-R"] if reverse else [])]
        answer = json.loads(sides.run(*client.inside(*words)))
        process.wait(timeout=30)
    finally:
        process.kill()
        process.wait()
    return answer["end"]["sum_received"]["bits_per_second"] / 8e6


def await_port(host, port, process):
    deadline = time.monotonic() + 10
    while f":{port} " not in sides.run(*host.inside("ss", "-Hltn")):
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"nobody listens on port {port}")
        time.sleep(0.02)


class GlusterPair(rivals.Mounted):
    """Two servers with a brick each, and a client, each in a network namespace of its own."""

    name = "glusterfs"
    BRIDGE = "forebay-bench"
    HOSTS = {"forebay-bench-s1": "10.77.0.1", "forebay-bench-s2": "10.77.0.2", "forebay-bench-c": "10.77.0.3"}
    SERVERS = list(HOSTS)[:2]
    CLIENT = list(HOSTS)[2]

    def inside(self, host, *words):
        return ["nsenter", f"--net=/run/netns/{host}", *(str(word) for word in words)]

    def gluster(self, *words):
        first = self.SERVERS[0]
        return self.inside(first, "gluster", f"--glusterd-sock={self.root}/{first}/sock", "--mode=script", *words)

    def remove_network(self):
        for host in (self.BRIDGE, *self.HOSTS):
            subprocess.run(["ip", "netns", "del", host], check=False, capture_output=True)

    def make_network(self):
        self.remove_network()
        sides.run("ip", "netns", "add", self.BRIDGE)
        bridge = ["ip", "-n", self.BRIDGE, "link"]
        sides.run(*bridge, "add", "br0", "type", "bridge")
        sides.run(*bridge, "set", "br0", "up")
        for number, (host, address) in enumerate(self.HOSTS.items()):
            sides.run("ip", "netns", "add", host)
            sides.run(*bridge, "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", host)
            sides.run(*bridge, "set", f"port{number}", "master", "br0", "up")
            sides.run("ip", "-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                sides.run("ip", "-n", host, "link", "set", device, "up")

    def start_server(self, host):
        directory = self.root / host
        self.make(host, f"{host}/work", f"{host}/brick")
        text = pathlib.Path("/etc/glusterfs/glusterd.vol").read_text().replace("/var/lib/glusterd", f"{directory}/work")
        text = text.replace("end-volume", f"    option glusterd-sockfile {directory}/sock\nend-volume")
        (directory / "glusterd.vol").write_text(text)
        words = self.inside(host, "glusterd", "--no-daemon", "-f", directory / "glusterd.vol", "-p", directory / "pid", "-l",
                            directory / "log")
        self.processes.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                               start_new_session=True))
        self.retry(self.inside(host, "gluster", f"--glusterd-sock={directory}/sock", "volume", "list"))

    @staticmethod
    def retry(words):
        deadline = time.monotonic() + 30
        while (answer := subprocess.run(words, check=False, capture_output=True, text=True)).returncode != 0:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(words)}: {answer.stderr.strip() or answer.stdout.strip()}")
            time.sleep(0.2)

    def __enter__(self):
        self.processes = []
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        self.make("mount")
        self.make_network()
        for host in self.SERVERS:
            self.start_server(host)
        self.retry(self.gluster("peer", "probe", self.HOSTS[self.SERVERS[1]]))
        bricks = [f"{self.HOSTS[host]}:{self.root}/{host}/brick" for host in self.SERVERS]
        self.retry(self.gluster("volume", "create", "bench", *bricks, "force"))  # until the peers know each other
        sides.run(*self.gluster("volume", "start", "bench"))
        sides.run(*self.inside(self.CLIENT, "glusterfs", f"--volfile-server={self.HOSTS[self.SERVERS[0]]}",
                               "--volfile-id=bench", "-l", self.root / "client.log", self.path))
        rivals.await_mount(self.path)

    def stop(self):
        subprocess.run(self.gluster("volume", "stop", "bench", "force"), check=False, capture_output=True)
        for process in self.processes:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=60)
        self.remove_network()
