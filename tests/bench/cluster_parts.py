"""What is measured of a cluster. Each part is a function that returns a list of rounds, {row: (figure, reference)}; a row
that is missing cannot be measured now."""

import contextlib
import dataclasses
import pathlib
import shutil
import subprocess

import cluster_rivals
import load
import scale
import sides
import works
from cluster import STORAGED_PORT, Cluster

MB = 1_000_000
MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Row:
    label: str
    unit: str
    goal: float = 0  # of the ratio to the reference, at least; 0: none
    most: float | None = None  # of the figure itself
    plot: tuple | None = None  # (picture, line, place on the axis below)


# Nothing is drained while something else is measured.
QUIET = "flush.policy=manual"


def fresh(parent, name):
    path = parent / name
    path.mkdir()
    return path


def side_by_side(number, measured, reference):
    """One round; who is second in one is first in the next: what was written by the first goes to the disk in its time."""
    order = (measured, reference) if number % 2 == 0 else (reference, measured)
    figures = {side: side() for side in order}
    return {label: (figures[measured][label], figures[reference][label]) for label in figures[measured]}


# --- unix: daemons on one node, against everything in one process

DATA = ["sequential write", "sequential read", "sequential read from disk", "random read 4 KiB", "random write 4 KiB"]
NAMES = ["create", "stat", "open and close", "readdir", "unlink"]


def unix_rows(_):
    units = {"random read 4 KiB": "/s", "random write 4 KiB": "/s", "readdir": "entries/s"}
    return [Row(label, units.get(label, "MB/s"), 0.95) for label in DATA] + \
           [Row(label, units.get(label, "/s"), 0.60) for label in NAMES]


def hits_of(path, options):
    return works.hit_data(path, options.size, options.seconds) | works.hit_metadata(path, options.files)


def unix(root, options):
    rounds = []
    with Cluster(root, 1, root / "outside", QUIET) as cluster, sides.Cache(root, root / "external", QUIET) as embedded:
        for number in range(options.rounds):
            rounds.append(side_by_side(number, lambda: hits_of(cluster.mount(1), options),
                                       lambda: hits_of(embedded.path, options)))
    return rounds


# --- remote: one client, and a file on another node

LINKS = {"1 Gbit/s": 125 * MB, "10 Gbit/s": 1250 * MB, "veth, no limit": 0}


def remote_rows(_):
    return [Row(f"{what}, {link}", "MB/s", 0.85) for link in LINKS for what in ("read", "write")]


def remote(root, options):
    rounds = []
    with Cluster(root, 2, root / "external", QUIET) as cluster:
        client, server = cluster.host(1), cluster.host(2)
        with load.data([cluster.mount(2)], options.size * MIB) as there:
            there.phase("write")  # who touches it first has it
        with load.data([cluster.mount(1)], options.size * MIB) as here:
            here.phase("check")
            for _ in range(options.rounds):
                figures = {}
                for link, limit in LINKS.items():
                    for host in (client, server):
                        host.limit(limit)
                    for what in ("read", "write"):
                        wire = cluster_rivals.iperf(client, server, options.seconds, reverse=what == "read")
                        figures[f"{what}, {link}"] = (here.phase(what).megabytes_per_second, wire)
                rounds.append(figures)
    return rounds


# --- stripe: one file on 1, 2, 4, 8 nodes with narrow links

LINK = 50 * MB
READERS = 8  # processes of the one client: one alone waits for each of its requests


def stripe_rows(options):
    return [Row(f"{what}, {nodes} node{'s' if nodes > 1 else ''}", "MB/s", 0.90, plot=(f"one file, {what}", "forebay", nodes))
            for what in ("write", "read") for nodes in options.nodes]


def striped_directory(cluster, client, count):
    """None: there are no stripes in this version."""
    path = fresh(cluster.mount(client), f"stripe{count}")
    words = [sides.FOREBAY, "layout", "set", path, "--count", count]
    if count > 1 and subprocess.run([str(word) for word in words], check=False, capture_output=True).returncode != 0:
        return None
    return path


def stripe(root, options):
    most = max(options.nodes)
    rounds = [{} for _ in range(options.rounds)]
    # The first node is the client: its link has no limit, and it has no target.
    with Cluster(root, most + 1, root / "external", QUIET) as cluster:
        cluster.end_storaged(1)
        for node in range(2, most + 2):
            cluster.host(node).limit(LINK)
        places = {count: striped_directory(cluster, 1, count) for count in options.nodes}
        for number, figures in enumerate(rounds):
            for count, place in places.items():
                if place is None:
                    continue
                directory = fresh(place, f"r{number}")
                block = options.size * count // READERS * MIB
                with load.data([directory] * READERS, block, layout="segmented") as crew:
                    plural = "s" if count > 1 else ""
                    for what in ("write", "read"):
                        speed = crew.phase(what).megabytes_per_second
                        figures[f"{what}, {count} node{plural}"] = (speed, LINK / MB * count)
                    crew.phase("remove")
    return rounds


# --- fetch: each node fetches a file of its own, through a narrow way of its own

def fetch_rows(options):
    return [Row(f"{nodes} node{'s' if nodes > 1 else ''}", "MB/s", 0.90, plot=("cold, a file for each node", "forebay", nodes))
            for nodes in options.nodes]


@contextlib.contextmanager
def narrow_outsides(root, nodes):
    """(the directory behind all, where metad sees it, the directory of the nodes' views)"""
    with contextlib.ExitStack() as stack:
        outside = stack.enter_context(sides.SlowOutside(root, latency_us=0, bandwidth=0))
        views = fresh(root, "views")
        for node in range(1, nodes + 1):
            directory = fresh(views, f"n{node}")
            stack.enter_context(sides.SlowOutside(directory, latency_us=0, bandwidth=LINK, backing=outside.backing))
        yield outside.backing, outside.path, views


def fetch(root, options):
    most = max(options.nodes)
    rounds = []
    with narrow_outsides(root, most) as (backing, outside, views):
        with Cluster(root, most, outside, QUIET, views=views) as cluster:
            for number in range(options.rounds):
                figures = {}
                for nodes in options.nodes:
                    name = f"r{number}-{nodes}"
                    directory = fresh(backing, name)
                    block = options.size * MIB
                    with load.data([directory] * nodes, block) as makers:
                        makers.phase("write")
                    with load.data([cluster.mount(node) / name for node in range(1, nodes + 1)], block) as readers:
                        speed = readers.phase("read").megabytes_per_second
                    figures[f"{nodes} node{'s' if nodes > 1 else ''}"] = (speed, LINK / MB * nodes)
                    shutil.rmtree(directory)
                rounds.append(figures)
    return rounds


# --- bytes: what goes over the network while each node works on its own files

WRITERS = 4


def bytes_rows(_):
    return [Row("data written and read again", "bytes"), Row("data on the network", "bytes", most=0),
            Row("other traffic on the network", "bytes"),
            Row("data on the network, when the next node reads it", "bytes")]


# IP packets of 52 bytes: a TCP segment that has nothing but its headers, which keeps a connection alive or acknowledges.
NO_DATA = (["u16 0x0034 0xffff at 2"], False)


def count_data(cluster):
    """What a client and the storage server of another node say to each other is data; what goes to and from the first
    node, which has metad and mgmtd and no client at work, is not: unless its storage server says it."""
    first = cluster.host(1)
    first.count_apart(NO_DATA, ([f"ip sport {STORAGED_PORT} 0xffff"], True))
    for node in range(2, WRITERS + 2):
        cluster.host(node).count_apart(NO_DATA, ([f"ip dst {first.address}/32", f"ip dport {STORAGED_PORT} 0xffff"], True),
                                       ([f"ip dst {first.address}/32"], False), (["u32 0 0"], True))


def traffic(cluster):
    counted = [host.counted() for host in cluster.hosts]
    return [sum(column) for column in zip(*counted)]


def network_bytes(root, options):
    rounds = []
    block = options.size // WRITERS * MIB
    with Cluster(root, WRITERS + 1, root / "external", QUIET) as cluster:
        count_data(cluster)
        for number in range(options.rounds):
            name = f"r{number}"
            fresh(cluster.mount(1), name)
            with load.data([cluster.mount(node) / name for node in range(2, WRITERS + 2)], block) as crew:
                before = traffic(cluster)
                moved = sum(crew.phase(what).bytes for what in ("write", "sync", "read"))
                data, other = (after - earlier for earlier, after in zip(before, traffic(cluster)))
                # That it would be seen.
                between = traffic(cluster)
                crew.phase("read", shift=1)
                seen = traffic(cluster)[0] - between[0]
            figures = (moved, data, other, seen)
            rounds.append({row.label: (figure, None) for row, figure in zip(bytes_rows(options), figures)})
    return rounds


# --- metadata: one client over TCP

def metadata_rows(_):
    return [Row("create", "/s", 3), Row("stat", "/s", 3), Row("stat, known to the kernel", "/s"), Row("unlink", "/s", 3)]


def names_figures(directory, items):
    with load.names([directory], items) as crew:
        crew.phase("prepare")
        figures = {"create": crew.phase("create").per_second}
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("2")  # names and inodes: what is asked goes over the network
        figures["stat"] = crew.phase("stat").per_second
        figures["stat, known to the kernel"] = crew.phase("stat").per_second
        figures["unlink"] = crew.phase("remove").per_second
        crew.phase("clear")
    return figures


def metadata(root, options):
    rounds = []
    with Cluster(root, 2, root / "external", QUIET) as cluster, cluster_rivals.GlusterPair(root) as gluster:
        for number in range(options.rounds):
            rounds.append(side_by_side(number, lambda: names_figures(cluster.mount(2), options.files),
                                       lambda: names_figures(gluster.path, options.files)))
    return rounds


# --- idle: what a storage server needs for those who say nothing

IDLE_CLIENTS = sides.ROOT / "build/release/tests/forebay_idle_clients"
CLIENTS = 1000


def idle_rows(_):
    return [Row(f"storaged with {CLIENTS:,} idle clients", "MiB", most=64), Row("storaged without", "MiB"),
            Row("for each client", "KiB")]


def idle(root, options):
    rounds = []
    for _ in range(options.rounds):
        with Cluster(root, 1, root / "external", QUIET) as cluster:
            host, pid = cluster.host(1), cluster.pid(1, "storaged")
            before = scale.resident_bytes(pid)
            words = host.inside(IDLE_CLIENTS, f"{host.address}:{STORAGED_PORT}", cluster.secret_file(1),
                                cluster.targets()[0]["id"], CLIENTS)
            with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  start_new_session=True) as process:
                if process.stdout.readline() != "ready\n":
                    raise RuntimeError("idle_clients: not all were connected")
                after = scale.resident_bytes(pid)
                process.stdin.close()
            rounds.append({f"storaged with {CLIENTS:,} idle clients": (after / MIB, None),
                           "storaged without": (before / MIB, None),
                           "for each client": ((after - before) / CLIENTS / 1024, None)})
    return rounds
