"""Writes what was measured of a cluster as docs/cluster-performance.md, with plots."""

import datetime
import json
import os
import platform

import report
import sides

TARGET = sides.ROOT / "docs"
EARLIER = sides.ROOT / "build/bench-cluster-results.json"
PLOT = "cluster-performance-{}.png"
COLORS = ["#3b7dd8", "#e08a3c", "#4aa564", "#a05cc0"]


def with_earlier(results, order):
    """Keeps these for the next time, and adds the parts that were measured before and not now."""
    earlier = json.loads(EARLIER.read_text()) if EARLIER.exists() else {}
    everything = {name: (earlier | results)[name] for name in order if name in earlier | results}
    EARLIER.write_text(json.dumps(everything))
    return everything


def number(value):
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.3g}"


def goal_of(entry):
    """As text; nothing when there is none."""
    if entry["most"] is not None:
        return f"at most {entry['most']:g}"
    return f"{entry['goal']:.2f}" if entry["goal"] > 0 else ""


def verdict_of(entry):
    if entry["measured"] is None:
        return "not available"
    return {True: "reached", False: "not reached", None: ""}[entry["reached"]]


def cells(*texts):
    return f"| {' | '.join(texts)} |"


def table_of(result):
    table = result["table"]
    if not result["reference"]:
        lines = ["| | forebay | goal | |", "| --- | ---: | --- | --- |"]
        return lines + [cells(f"{entry['label']}, {entry['unit']}",
                              "" if entry["measured"] is None else number(entry["measured"]), goal_of(entry),
                              verdict_of(entry)) for entry in table]
    lines = [f"| work | {result['reference']} | forebay | ratio | goal | |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for entry in table:
        known = entry["measured"] is not None
        lines.append(cells(f"{entry['label']}, {entry['unit']}", number(entry["reference"]) if known else "",
                           number(entry["measured"]) if known else "", f"{entry['ratio']:.2f}" if known else "",
                           goal_of(entry), verdict_of(entry)))
    return lines


def pictures_of(table):
    """{picture: (unit, {line: {place: entry}})}"""
    pictures = {}
    for entry in table:
        if entry["plot"] is not None:
            picture, line, place = entry["plot"]
            _, lines = pictures.setdefault(picture, (entry["unit"], {}))
            lines.setdefault(line, {})[place] = entry
    return pictures


def figures_of(table):
    """As tables, a line for each place on the axis below."""
    text = []
    for picture, (unit, lines) in pictures_of(table).items():
        places = sorted({place for line in lines.values() for place in line})
        text += ["", f"{picture[0].upper()}{picture[1:]}, {unit}:", "", cells("clients", *lines),
                 "| ---: |" + " ---: |" * len(lines)]
        for place in places:
            figures = [line[place]["measured"] for line in lines.values()]
            text.append(cells(str(place), *("not available" if figure is None else number(figure) for figure in figures)))
    return text


def draw_pictures(table, path, below, goals):
    """All pictures of a part, two in a row; `goals`: with the reference as a line, and a mark where it should be."""
    from matplotlib import pyplot

    pictures = pictures_of(table)
    rows = (len(pictures) + 1) // 2
    figure, grid = pyplot.subplots(rows, 2, figsize=(9, 3.1 * rows), squeeze=False)
    for axes in grid.flat[len(pictures):]:
        axes.set_visible(False)
    for axes, (picture, (unit, lines)) in zip(grid.flat, pictures.items()):
        places = sorted({place for line in lines.values() for place in line})
        for color, (line, entries) in zip(COLORS, lines.items()):
            known = {place: entry for place, entry in sorted(entries.items()) if entry["measured"] is not None}
            if known:
                axes.errorbar(list(known), [entry["measured"] for entry in known.values()],
                              yerr=[entry.get("deviation", 0) for entry in known.values()], color=color, marker="o",
                              markersize=4, capsize=3, label=line)
        if goals:
            known = {place: entry for place, entry in sorted(entries.items()) if entry["reference"] is not None}
            axes.plot(list(known), [entry["reference"] for entry in known.values()], color="grey", linewidth=0.8,
                      label="what goes through the links")
            axes.plot(list(known), [entry["reference"] * entry["goal"] for entry in known.values()], "_", color="black",
                      markersize=14, label="goal")
        axes.set_title(picture, fontsize=10)
        axes.set_xticks(places, [str(place) for place in places])
        axes.set_xlabel(below, fontsize=8)
        axes.set_ylabel(unit, fontsize=8)
        axes.set_ylim(bottom=0) if goals else axes.set_yscale("log")
        axes.tick_params(labelsize=8)
        axes.legend(fontsize=7, frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw_ratios(results, path):
    """One bar for each ratio on a logarithmic scale; a mark where it should be at least."""
    from matplotlib import pyplot

    rows = [(place, result, entry) for place, result in enumerate(results.values()) for entry in result["table"]
            if entry["ratio"] is not None]
    figure, axes = pyplot.subplots(figsize=(9, 0.3 * len(rows) + 1.4))
    named = set()
    for place, (part, result, entry) in enumerate(reversed(rows)):
        title = f"{result['title']}: against {result['reference']}"
        axes.barh(place, entry["ratio"], color=COLORS[part % len(COLORS)], height=0.7,
                  label=None if title in named else title)
        named.add(title)
        axes.plot([entry["goal"]] * 2, [place - 0.4, place + 0.4], color="black", linewidth=2)
        axes.text(max(entry["ratio"], entry["goal"]) * 1.08, place, f"{entry['ratio']:.2f}", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [entry["label"] for _, _, entry in reversed(rows)], fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xlabel("against the reference, median of the rounds (black: goal)", fontsize=9)
    handles, labels = axes.get_legend_handles_labels()
    figure.tight_layout(rect=(0, 0, 1, 0.94))
    figure.legend(reversed(handles), reversed(labels), fontsize=8, loc="upper center", ncol=2, frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw(results):
    """{part or "ratios": name of its plot}"""
    import matplotlib

    matplotlib.use("Agg")
    plots = {}
    compared = {name: results[name] for name in ("unix", "remote", "metadata") if name in results}
    if compared:
        plots["ratios"] = PLOT.format("ratios")
        draw_ratios(compared, TARGET / plots["ratios"])
    for name, below, goals in (("stripe", "nodes", True), ("fetch", "nodes", True), ("paper", "clients", False)):
        if name in results:
            plots[name] = PLOT.format(name)
            draw_pictures(results[name]["table"], TARGET / plots[name], below, goals)
    return plots


def machine(options):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return [
        ("date", datetime.date.today().isoformat()),
        ("processor", f"{os.cpu_count()} x {report.processor()}"),
        ("memory", f"{memory:.0f} GiB"),
        ("kernel", platform.release()),
        ("idle processors", report.idle()),
        ("file system", report.first_line("findmnt", "-no", "FSTYPE,SOURCE", "-T", options.dir)),
        ("libfuse", report.libfuse()),
        ("fio", report.first_line("fio", "--version")),
        *((name, report.package_version(package)) for name, package in
          (("iperf3", "iperf3"), ("glusterfs", "glusterfs-server"), ("iproute2", "iproute2"))),
        ("forebay", f"{report.first_line(str(sides.FOREBAY), '--version')}, commit {report.commit()}"),
    ]


def write(results, options):
    plots = draw(results)
    lines = ["# Performance of a cluster", "",
             "Made by the commands below; do not edit. All nodes are network namespaces of one machine, joined by veth and a "
             "bridge, and share its processors and its disk. Medians of alternating rounds in one run; a ratio is taken "
             "round by round, so that a machine that drifts does not matter."]
    if "ratios" in plots:
        lines += ["", f"![ratios]({plots['ratios']})"]
    for name, result in results.items():
        lines += ["", f"## {result['title']}", "",
                  f"`{result['command']}`, commit {result['commit']}, {result['rounds']} rounds; part `{name}`.", ""]
        if name in plots:
            lines += [f"![{name}]({plots[name]})", ""]
        lines += figures_of(result["table"])[1:] if name == "paper" else table_of(result)
    lines += ["", "## The machine", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in machine(options)]
    (TARGET / "cluster-performance.md").write_text("\n".join(lines) + "\n")
