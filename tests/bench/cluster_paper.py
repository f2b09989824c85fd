"""The figures of the paper's chapter 5: a cache of 6 nodes in front of one slow outside, and 1, 2, 4, 6 clients."""

import shutil

import load
import sides
from cluster import Cluster
from cluster_parts import MIB, QUIET, Row, fresh

CLIENTS = (1, 2, 4, 6)
SLOW = {"latency_us": 1000, "bandwidth": 200_000_000}
BLOCK = 100 * MIB  # of each client, as in the left halves of figures 8 and 9
ITEMS = 100  # of each client: the outside has so many files in each directory
WITHOUT_OUTSIDE = "cache without outside"
TRANSIENT = "scratch"
DATA = {"read": ("outside", "cache miss", "cache hit", WITHOUT_OUTSIDE), "write": ("outside", "cache", WITHOUT_OUTSIDE)}
NAMES = ("stat", "create", "delete")
KINDS = {"files": [], "directories": ["--directories"]}
SIDES = ("outside", "cache", WITHOUT_OUTSIDE)


def row_name(figure, line, clients):
    return f"{figure}, {line}, {clients} client{'s' if clients > 1 else ''}"


def rows(_):
    table = [("MB/s", figure, line) for figure, lines in DATA.items() for line in lines]
    table += [("/s", f"{figure} {kind}", line) for figure in NAMES for kind in KINDS for line in SIDES]
    return [Row(row_name(figure, line, clients), unit, plot=(figure, line, clients))
            for unit, figure, line in table for clients in CLIENTS]


def in_all(places, name):
    return [place / name for place in places]


def written_and_kept(crew):
    """MB/s until it is written and synced."""
    written, synced = crew.phase("write"), crew.phase("sync")
    return written.bytes / 1e6 / (written.seconds + synced.seconds)


def data_figures(outside, mounts, clients, name):
    figures = {}

    def keep(figure, line, value):
        figures[row_name(figure, line, clients)] = (value, None)

    fresh(outside.backing, name)
    direct, cached = in_all([outside.path] * clients, name), in_all(mounts[:clients], name)
    with load.data(direct, BLOCK) as crew:
        keep("write", "outside", written_and_kept(crew))
        keep("read", "outside", crew.phase("read").megabytes_per_second)
    with load.data(cached, BLOCK) as crew:
        keep("read", "cache miss", crew.phase("read").megabytes_per_second)
        keep("read", "cache hit", crew.phase("read").megabytes_per_second)
        crew.phase("remove")
    with load.data(cached, BLOCK, seed=2) as crew:
        keep("write", "cache", written_and_kept(crew))
        crew.phase("remove")
    shutil.rmtree(outside.backing / name)
    transient = in_all([mount / TRANSIENT for mount in mounts[:clients]], name)
    fresh(mounts[0] / TRANSIENT, name)
    with load.data(transient, BLOCK, seed=3) as crew:
        keep("write", WITHOUT_OUTSIDE, written_and_kept(crew))
        keep("read", WITHOUT_OUTSIDE, crew.phase("read").megabytes_per_second)
        crew.phase("remove")
    return figures


def name_figures(line, directories):
    clients = len(directories)
    figures = {}
    for kind, options in KINDS.items():
        with load.names(directories, ITEMS, *options) as crew:
            crew.phase("prepare")
            for figure, phase in (("create", "create"), ("stat", "stat"), ("delete", "remove")):
                figures[row_name(f"{figure} {kind}", line, clients)] = (crew.phase(phase).per_second, None)
            crew.phase("clear")
    return figures


def measure(root, options):
    rounds = []
    with sides.SlowOutside(root, **SLOW) as outside, Cluster(
            root, max(CLIENTS), outside.path, QUIET, f"links.transient={TRANSIENT}") as cluster:
        mounts = [cluster.mount(node) for node in range(1, max(CLIENTS) + 1)]
        for number in range(options.rounds):
            figures = {}
            for clients in CLIENTS:
                name = f"r{number}-{clients}"
                figures |= data_figures(outside, mounts, clients, name)
                fresh(outside.backing, name)
                figures |= name_figures("outside", in_all([outside.path] * clients, name))
                figures |= name_figures("cache", in_all(mounts[:clients], name))
                figures |= name_figures(WITHOUT_OUTSIDE, in_all([mount / TRANSIENT for mount in mounts[:clients]], name))
            rounds.append(figures)
    return rounds
