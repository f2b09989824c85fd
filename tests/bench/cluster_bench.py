"""Measures a cluster on network namespaces of this machine, each part against what it could be at best."""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import typing

import cluster_paper
import cluster_parts
import cluster_report
import report
import sides
from cluster import Cluster


@dataclasses.dataclass(frozen=True)
class Part:
    title: str
    reference: str  # what the figures are compared with
    rows: typing.Callable
    measure: typing.Callable


PARTS = {
    "unix": Part("Daemons on one node, over a Unix socket", "one process", cluster_parts.unix_rows, cluster_parts.unix),
    "remote": Part("A file on another node", "iperf3", cluster_parts.remote_rows, cluster_parts.remote),
    "stripe": Part("One file on several nodes, links of 50 MB/s", "links", cluster_parts.stripe_rows, cluster_parts.stripe),
    "fetch": Part("Cold files, an outside of 50 MB/s for each node", "outside", cluster_parts.fetch_rows,
                  cluster_parts.fetch),
    "bytes": Part("Each node writes and reads its own files", "", cluster_parts.bytes_rows, cluster_parts.network_bytes),
    "metadata": Part("One client over TCP", "glusterfs", cluster_parts.metadata_rows, cluster_parts.metadata),
    "idle": Part("Clients that say nothing", "", cluster_parts.idle_rows, cluster_parts.idle),
    "paper": Part("As in the paper: 1 ms, 200 MB/s for all", "", cluster_paper.rows, cluster_paper.measure),
}


def reached(row, measured, ratio):
    """None: there is no goal."""
    if row.most is not None:
        return measured <= row.most
    return ratio >= row.goal if row.goal > 0 else None


def summarize(rows, rounds):
    """Medians over the rounds; the ratio is taken round by round, so that a machine that drifts does not matter."""
    table = []
    for row in rows:
        entry = dataclasses.asdict(row) | {"measured": None, "reference": None, "ratio": None, "reached": None}
        pairs = [figures[row.label] for figures in rounds if row.label in figures]
        if pairs:
            entry["measured"] = statistics.median(measured for measured, _ in pairs)
            if pairs[0][1] is not None:
                entry["reference"] = statistics.median(reference for _, reference in pairs)
                entry["ratio"] = statistics.median(measured / reference for measured, reference in pairs)
            entry["reached"] = reached(row, entry["measured"], entry["ratio"])
            if len(pairs) > 1:
                entry["deviation"] = statistics.stdev(measured for measured, _ in pairs)
        table.append(entry)
    return table


def print_table(part, table):
    print(f"\n{part.title:48}{part.reference:>12}{'forebay':>14}{'ratio':>8}{'goal':>14}")
    for entry in table:
        label = f"{entry['label']}, {entry['unit']}"
        if entry["measured"] is None:
            print(f"{label:48}{'':12}{'not available':>14}")
            continue
        left = "" if entry["reference"] is None else cluster_report.number(entry["reference"])
        ratio = "" if entry["ratio"] is None else f"{entry['ratio']:.2f}"
        verdict = "  not reached" if entry["reached"] is False else ""
        print(f"{label:48}{left:>12}{cluster_report.number(entry['measured']):>14}{ratio:>8}"
              f"{cluster_report.goal_of(entry):>14}{verdict}", flush=True)


def node_counts(text):
    counts = sorted({int(word) for word in text.split(",")})
    if counts[0] < 1:
        raise argparse.ArgumentTypeError("at least one node")
    return counts


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/bench --cluster", description=__doc__)
    parser.add_argument("--dir", default="/var/tmp", help="where to work: the file system that has the targets")
    parser.add_argument("--filesystem", choices=["ext4", "xfs"],
                        help="a new one for each part, in an image below --dir: what was deleted in one slows it down")
    parser.add_argument("--image", type=int, default=32, metavar="GIB", help="size of the new file system (32, sparse)")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated")
    parser.add_argument("--nodes", type=node_counts, default=[1, 2, 4, 8], help="how many, for parts that scale (1,2,4,8)")
    parser.add_argument("--size", type=int, default=256, metavar="MIB", help="of the large files (256)")
    parser.add_argument("--files", type=int, default=2000, help="of those that only have a name (2000)")
    parser.add_argument("--seconds", type=int, default=2, help="of each timed run (2)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (3)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all daemons and mounts")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--report", action="store_true",
                        help="write docs/cluster-performance.md and its plots as well; parts that are not measured now "
                        "stay as they were when they were measured last in this tree")
    return parser.parse_args(arguments)


def enter_own_mounts(directory):
    """In a mount namespace of our own nobody keeps our mounts alive by copying his, and at our end none is left; and
    those of others that are in our copy are let go, so that we keep none of theirs alive."""
    if os.readlink("/proc/self/ns/mnt") == os.readlink(f"/proc/{os.getppid()}/ns/mnt"):
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-B", *sys.argv])
    for line in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
        source, path, kind = line.split()[:3]
        if (kind.startswith("fuse.") or source.startswith("/dev/loop")) and not is_below(directory, path):
            subprocess.run(["umount", "--lazy", path.encode().decode("unicode_escape")], check=False, capture_output=True)


def is_below(path, directory):
    return os.path.commonpath([os.path.realpath(path), directory]) == directory


def end(*_):
    """Once: what is taken away then is taken away in peace."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.exit("bench: ended by a signal")


def main():
    options = parse(sys.argv[1:])
    enter_own_mounts(options.dir)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    Cluster.common += options.set
    command = " ".join(["scripts/bench --cluster", *sys.argv[1:]])
    results = {}
    for name, part in PARTS.items():
        if options.only and name not in options.only:
            continue
        with contextlib.ExitStack() as stack:
            root = stack.enter_context(tempfile.TemporaryDirectory(prefix="forebay-bench-", dir=options.dir))
            if options.filesystem is not None:
                root = stack.enter_context(sides.new_filesystem(root, options.filesystem, options.image))
            table = summarize(part.rows(options), part.measure(pathlib.Path(root), options))
        results[name] = {"title": part.title, "reference": part.reference, "table": table, "rounds": options.rounds,
                         "command": command, "commit": report.commit()}
        if not options.json:
            print_table(part, table)
    if options.json:
        print(json.dumps({name: result["table"] for name, result in results.items()}))
    if options.report:
        cluster_report.write(cluster_report.with_earlier(results, list(PARTS)), options)


if __name__ == "__main__":
    main()
