"""Measures a mounted cache against what lies under it, side by side in one run, in alternating rounds."""

import argparse
import contextlib
import dataclasses
import json
import os
import signal
import statistics
import sys
import tempfile
import time

import report
import rivals
import scale
import sides
import works


@dataclasses.dataclass(frozen=True)
class Row:
    label: str
    unit: str
    goal: float  # the least ratio; of a row without a second side the most figure, or the least (0: none)
    alone: bool = False
    least: bool = False


HITS = [
    Row("sequential write", "MB/s", 0.90),
    Row("sequential read", "MB/s", 0.95),
    Row("sequential read from disk", "MB/s", 0.95),
    Row("random read 4 KiB", "/s", 0.88),
    Row("random write 4 KiB", "/s", 0.88),
    Row("create", "/s", 0.40),
    Row("stat", "/s", 0.75),
    Row("open and close", "/s", 0.06),
    Row("readdir", "entries/s", 0.30),
    Row("unlink", "/s", 0.15),
]
# No more than can be looked at and looked at again within consistency.attr_ttl: later it is no hit.
MOST_HIT_FILES = 2000
# What one row wrote is not drained in the time of another: that is measured for itself.
HIT_SETTINGS = ["flush.delay=1h"]
MISSES = [
    Row("cold sequential read", "MB/s", 0.95),
    Row("cold first byte", "ms", 20, alone=True),
    Row("drain", "MB/s", 0.95),
    Row("create by 8 threads", "/s", 0.90),
    Row("warm stat", "/s", 100),
]
SCALE = [
    Row("find", "files/s", 0, alone=True, least=True),
    Row("find, against a tenth", "speed for each file", 0.8, alone=True, least=True),
    Row("find again", "files/s", 0, alone=True, least=True),
    Row("memory for each inode", "bytes", 1024, alone=True),
    Row("prefetch", "files/s", 0, alone=True, least=True),
    Row("database for each cached file", "bytes", 512, alone=True),
    Row("mount with all of it cached", "s", 2, alone=True),
]
SLOW = {"latency_us": 1000, "bandwidth": 200_000_000}


def measure_hits(root, options):
    """[{side: {row: figure}}], one for each round; the first side is what the others are compared with."""
    rounds = []
    with contextlib.ExitStack() as stack:
        measured = [stack.enter_context(sides.Bare(root)),
                    stack.enter_context(sides.Cache(root, root + "/external", *HIT_SETTINGS))]
        if options.rivals:
            measured += [stack.enter_context(rival(root)) for rival in rivals.ALL]
        for _ in range(options.rounds):
            figures = {}
            for side in measured:
                figures[side.name] = works.hit_data(side.path, options.size, options.seconds)
                figures[side.name] |= works.hit_metadata(side.path, min(options.files, MOST_HIT_FILES))
            rounds.append(figures)
    return rounds


def measure_hits_alone(root, options):
    return measure_hits(root, argparse.Namespace(**vars(options) | {"rivals": False}))


def measure_drain(outside, cache, size):
    direct = works.write_all(outside.path / "direct", size, True)
    works.write_all(cache.path / "written", size, True)  # what is drained is on the flash already
    begin = time.perf_counter()
    cache.command("flush", cache.path / "written")
    drained = size * works.MIB / 1e6 / (time.perf_counter() - begin)
    for name in ("direct", "written"):
        os.unlink(outside.backing / name)
    return direct, drained


def measure_cold(outside, cache, size, number):
    with works.big_file(outside.backing, f"cold{number}", size) as path:
        works.drop_caches()
        direct = works.read_all(outside.path / path.name)
        works.drop_caches()
        read = works.read_all(cache.path / path.name)
    with works.big_file(outside.backing, f"first{number}", size) as path:
        works.drop_caches()
        first = works.first_byte_ms(cache.path / path.name)
    return direct, read, first


def measure_misses(root, options):
    rounds = []
    # A warm stat is one within the time for which an answer counts; the first look at so many files takes longer than
    # the default of a second.
    settings = ["flush.policy=manual", "consistency.attr_ttl=10m"]
    with sides.SlowOutside(root, **SLOW) as outside, sides.Cache(root, outside.path, *settings) as cache:
        many = outside.backing / "many"
        many.mkdir()
        for number in range(options.files):
            works.create(many / f"f{number}")
        for number in range(options.rounds):
            direct, mounted = {}, {}
            direct["cold sequential read"], mounted["cold sequential read"], mounted["cold first byte"] = measure_cold(
                outside, cache, options.size, number)
            direct["drain"], mounted["drain"] = measure_drain(outside, cache, options.size)
            direct["create by 8 threads"] = works.create_parallel(make(outside.path, f"d{number}"), 1000, 8)
            mounted["create by 8 threads"] = works.create_parallel(make(cache.path, f"m{number}"), 1000, 8)
            direct["warm stat"] = works.stat_all(outside.path / "many")
            works.stat_all(cache.path / "many")
            mounted["warm stat"] = works.stat_all(cache.path / "many")
            rounds.append({"outside": direct, "forebay": mounted})
    return rounds


def measure_scale(root, options):
    return [{"forebay": scale.measure(root, options.many)}]


def make(directory, name):
    path = directory / name
    path.mkdir()
    return path


def summarize(rows, rounds):
    """Medians over the rounds; the ratio is taken round by round, so that a machine that drifts does not matter."""
    table = []
    reference = next(iter(rounds[0]))
    for row in rows:
        mounted = statistics.median(figures["forebay"][row.label] for figures in rounds)
        entry = dataclasses.asdict(row) | {"forebay": mounted}
        if not row.alone:
            entry["reference"] = statistics.median(figures[reference][row.label] for figures in rounds)
            entry["ratios"] = {
                side: statistics.median(figures[side][row.label] / figures[reference][row.label] for figures in rounds)
                for side in rounds[0] if side != reference
            }
            entry["ratio"] = entry["ratios"]["forebay"]
        if row.alone:
            entry["reached"] = mounted >= row.goal if row.least else mounted <= row.goal
        else:
            entry["reached"] = entry["ratio"] >= row.goal
        table.append(entry)
    return table


def print_table(title, reference, table):
    print(f"\n{title:42}{reference:>12}{'forebay':>12}{'ratio':>8}{'at least':>14}  others' ratios")
    for entry in table:
        label = f"{entry['label']}, {entry['unit']}"
        verdict = "" if entry["reached"] else "  not reached"
        if entry["alone"]:
            print(f"{label:42}{'':12}{entry['forebay']:12.1f}{'':8}{report.goal_of(entry):>14}{verdict}")
        else:
            others = ", ".join(f"{side} {ratio:.2f}" for side, ratio in entry["ratios"].items() if side != "forebay")
            print(f"{label:42}{entry['reference']:12.0f}{entry['forebay']:12.0f}{entry['ratio']:8.2f}"
                  f"{report.goal_of(entry):>14}  {others}{verdict}")


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, epilog="scripts/bench --cluster measures a cache of several nodes; it has "
        "a --help of its own")
    parser.add_argument("--dir", default="/var/tmp", help="where to work: the file system that is measured")
    parser.add_argument("--filesystem", choices=["ext4", "xfs"], action="append", default=[],
                        help="measure a new one, in an image below --dir: what was deleted in one slows it down; given "
                        "again, hits on that as well")
    parser.add_argument("--image", type=int, default=32, metavar="GIB", help="size of the new file system (32, sparse)")
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="of the large files (1024)")
    parser.add_argument("--files", type=int, default=10_000, help="in directories of many files (10000); for hits at most 2000")
    parser.add_argument("--seconds", type=int, default=2, help="of each random access run (2)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (3)")
    parser.add_argument("--only", choices=["hits", "misses", "many"], help="one part")
    parser.add_argument("--many", type=int, default=0, metavar="FILES", help="also a tree of so many files (1000000)")
    parser.add_argument("--rivals", action="store_true", help="rclone, mergerfs and GlusterFS as well")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all mounts")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--report", action="store_true",
                        help="write docs/performance.md and its plot as well; parts that are not measured now stay as "
                        "they were when they were measured last in this tree")
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    # Then, too, everything is unmounted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended by a signal"))
    sides.Cache.common += options.set
    first = options.filesystem[0] if options.filesystem else None
    parts = [(f"hits, {first}" if first else "hits", "bare", HITS, measure_hits, first)]
    parts += [(f"hits, {other}", "bare", HITS, measure_hits_alone, other) for other in options.filesystem[1:]]
    parts.append(("misses, 1 ms, 200 MB/s", "outside", MISSES, measure_misses, first))
    if options.many > 0:
        parts.append((f"many: {options.many:,} files", "", SCALE, measure_scale, first))
    results = {}
    command = " ".join(["scripts/bench", *sys.argv[1:]])
    for title, reference, rows, measure, filesystem in parts:
        if options.only is not None and not title.startswith(options.only):
            continue
        with contextlib.ExitStack() as stack:
            root = stack.enter_context(tempfile.TemporaryDirectory(prefix="forebay-bench-", dir=options.dir))
            if filesystem is not None:
                root = stack.enter_context(sides.new_filesystem(root, filesystem, options.image))
            table = summarize(rows, measure(root, options))
        results[title] = {"reference": reference, "table": table, "rounds": options.rounds, "command": command,
                          "commit": report.commit()}
        if not options.json:
            print_table(title, reference, table)
    if options.json:
        print(json.dumps({title: result["table"] for title, result in results.items()}))
    if options.report:
        with tempfile.TemporaryDirectory(prefix="forebay-bench-", dir=options.dir) as root:
            with sides.Cache(root, root + "/external") as cache:
                status = json.loads(cache.command("status", "--json", cache.path))
        report.write(report.with_earlier(results), options, status)


if __name__ == "__main__":
    main()
