"""Writes what was measured as docs/performance.md, with a plot."""

import datetime
import json
import os
import pathlib
import platform
import subprocess

import rivals
import sides

TARGET = sides.ROOT / "docs"
EARLIER = sides.ROOT / "build/bench-results.json"
PARTS = ("hits", "misses", "many")


def first_line(*words):
    return subprocess.run(words, check=False, capture_output=True, text=True).stdout.strip().split("\n")[0]


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def libfuse():
    own = sides.ROOT / "build/deps/libfuse"
    for path in own.glob("lib*/**/pkgconfig/fuse3.pc"):
        return first_line("pkg-config", "--modversion", str(path))
    return first_line("pkg-config", "--modversion", "fuse3")


def package_version(name):
    return first_line("dpkg-query", "-W", "-f", "${Version}", name)


def filesystem(options):
    if options.filesystem:
        return f"{' and '.join(options.filesystem)}, new, on a loop device over " + first_line("findmnt", "-no", "FSTYPE", "-T",
                                                                                  options.dir)
    return first_line("findmnt", "-no", "FSTYPE,SOURCE", "-T", options.dir)


def idle():
    """What a processor does that waits: of a request over FUSE that is the larger part."""
    governor = first_line("cat", "/sys/devices/system/cpu/cpuidle/current_governor") or "unknown"
    poll = pathlib.Path("/sys/module/haltpoll/parameters/guest_halt_poll_ns")
    return f"{governor}, guest_halt_poll_ns {poll.read_text().strip()}" if poll.exists() else governor


def machine(options, status):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return [
        ("date", datetime.date.today().isoformat()),
        ("processor", f"{os.cpu_count()} x {processor()}"),
        ("memory", f"{memory:.0f} GiB"),
        ("kernel", platform.release()),
        ("idle processors", idle()),
        ("file system", filesystem(options)),
        ("libfuse", libfuse()),
        ("fio", first_line("fio", "--version")),
        *((name, package_version(package)) for name, package in rivals.PACKAGES.items() if options.rivals),
        ("forebay", status["version"]),
        ("passthrough", status["passthrough"]),
        ("io_uring", status["io_uring"]),
    ]


def commit():
    return first_line("git", "-C", str(sides.ROOT), "rev-parse", "--short", "HEAD")


def with_earlier(results):
    """Keeps these for the next time, and adds the parts that were measured before and not now."""
    earlier = json.loads(EARLIER.read_text()) if EARLIER.exists() else {}
    measured = {title.split()[0].rstrip(",:") for title in results}
    kept = {title: result for title, result in earlier.items() if title.split()[0].rstrip(",:") not in measured}
    everything = {title: result for part in PARTS for title, result in (kept | results).items() if title.startswith(part)}
    EARLIER.write_text(json.dumps(everything))
    return everything


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def goal_of(entry):
    """As text; nothing when there is none."""
    if not entry["alone"]:
        return f"{entry['goal']:.2f}"
    if entry["goal"] == 0:
        return ""
    return f"at {'least' if entry['least'] else 'most'} {entry['goal']:g}"


def verdict_of(entry):
    return "" if entry["reached"] else "not reached"


def rivals_of(table):
    """The ratios of all sides, or nothing when there is no other."""
    names = [name for name in table[0].get("ratios", {})]
    if len(names) < 2:
        return []
    lines = ["", "The same work by what one might take instead, as ratios to the bare file system:", "",
             f"| work | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
    for entry in table:
        lines.append(f"| {entry['label']} | {' | '.join('%.2f' % entry['ratios'][name] for name in names)} |")
    return lines


def table_of(reference, table):
    if all(entry["alone"] for entry in table):
        lines = ["| | forebay | | |", "| --- | ---: | --- | --- |"]
        return lines + [f"| {entry['label']}, {entry['unit']} | {number(entry['forebay'])} | {goal_of(entry)} "
                        f"| {verdict_of(entry)} |" for entry in table]
    lines = [f"| work | {reference} | forebay | ratio | at least | |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for entry in table:
        verdict = verdict_of(entry)
        left = "" if entry["alone"] else number(entry["reference"])
        ratio = "" if entry["alone"] else f"{entry['ratio']:.2f}"
        goal = goal_of(entry)
        lines.append(f"| {entry['label']}, {entry['unit']} | {left} | {number(entry['forebay'])} | {ratio} | {goal} "
                     f"| {verdict} |")
    return lines


def draw(results, path):
    """One bar for each ratio on a logarithmic scale; a mark where it should be at least."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    colors = dict(zip(results, ["#3b7dd8", "#8fb8ea", "#4aa564"] if sum(title.startswith("hits") for title in results) > 1
                      else ["#3b7dd8", "#4aa564"]))
    markers = ["o", "^", "s", "v"]
    others = {}  # what else was measured, and its mark
    rows = [(title, entry) for title, result in results.items() for entry in result["table"] if not entry["alone"]]
    figure, axes = pyplot.subplots(figsize=(9, 0.38 * len(rows) + 1.2))
    for place, (title, entry) in enumerate(reversed(rows)):
        axes.barh(place, entry["ratio"], color=colors[title], height=0.7)
        for side, ratio in entry["ratios"].items():
            if side == "forebay":
                continue
            others.setdefault(side, markers[len(others) % len(markers)])
            axes.plot([ratio], [place], others[side], color="black", markersize=4, fillstyle="none")
        axes.plot([entry["goal"]] * 2, [place - 0.4, place + 0.4], color="black", linewidth=2)
        right = max(entry["ratio"], entry["goal"]) if entry["ratio"] * 1.6 > entry["goal"] else entry["ratio"]
        axes.text(right * 1.08, place, f"{entry['ratio']:.2f}", va="center", fontsize=8)
    axes.margins(x=0.12)
    axes.set_yticks(range(len(rows)), [entry["label"] for _, entry in reversed(rows)], fontsize=9)
    axes.set_xscale("log")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xlabel("speed against the reference, median of the rounds (black: at least)")
    names = {title: colors[title] for title, _ in rows}
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=color) for color in names.values()]
    handles += [axes.plot([], [], marker, color="black", markersize=5, linestyle="none")[0] for marker in others.values()]
    axes.legend(handles, [f"{title}: against {results[title]['reference']}" for title in names] + list(others), fontsize=8,
                loc="upper center", bbox_to_anchor=(0.5, 1.09), ncol=3, frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def write(results, options, status):
    draw(results, TARGET / "performance.png")
    lines = ["# Performance", "",
             "Made by the commands below; do not edit. Medians of alternating rounds in one run; a ratio is taken round by "
             "round, so that a machine that drifts does not matter.", "",
             "![ratios](performance.png)"]
    for title, result in results.items():
        table = result["table"]
        lines += ["", f"## {title[0].upper()}{title[1:]}", "",
                  f"`{result['command']}`, commit {result['commit']}, {result['rounds']} rounds" +
                  (", this part once." if all(entry["alone"] for entry in table) else "."), "",
                  *table_of(result["reference"], table), *rivals_of(table)]
    lines += ["", "## The machine", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in machine(options, status)]
    (TARGET / "performance.md").write_text("\n".join(lines) + "\n")
