"""Very many files: what walking them costs, and what remembering them takes."""

import json
import os
import pathlib
import subprocess
import time

import sides

PER_DIRECTORY = 1000
FILE_BYTES = 100


def make_tree(base, files):
    content = b"x" * FILE_BYTES
    for number in range(files):
        if number % PER_DIRECTORY == 0:
            directory = base / f"d{number // PER_DIRECTORY}"
            directory.mkdir(parents=True)
        with open(directory / f"file-{number}.dat", "wb", buffering=0) as file:
            file.write(content)


def find(path, files):
    """Names per second."""
    begin = time.perf_counter()
    found = subprocess.run(["find", path, "-type", "f"], check=True, capture_output=True).stdout.count(b"\n")
    assert found == files
    return files / (time.perf_counter() - begin)


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS")


def status(cache):
    return json.loads(cache.command("status", "--json", cache.path))


def measure(root, files):
    """{row: figure}, once: this takes minutes."""
    figures = {}
    external = pathlib.Path(root) / "external"
    make_tree(external / "few", files // 10)
    make_tree(external / "many", files)
    cache = sides.Cache(root, external)
    with cache:
        before = status(cache)
        empty = resident_bytes(before["pid"])
        few = find(cache.path / "few", files // 10)
        figures["find"] = find(cache.path / "many", files)
        figures["find, against a tenth"] = figures["find"] / few
        figures["find again"] = find(cache.path / "many", files)
        subprocess.run(["find", cache.path / "many", "-size", "+1M"], check=True, capture_output=True)  # looks at each
        after = status(cache)
        inodes = after["inodes_in_memory"] - before["inodes_in_memory"]
        figures["memory for each inode"] = (resident_bytes(after["pid"]) - empty) / max(1, inodes)
        begin = time.perf_counter()
        cache.command("prefetch", cache.path / "many")
        figures["prefetch"] = files / (time.perf_counter() - begin)
        sides.run(sides.FOREBAY, "unmount", cache.path)
        database = sum(os.path.getsize(path) for path in cache.cache.glob("metadata.db*"))
        figures["database for each cached file"] = database / files
        begin = time.perf_counter()
        cache.mount()
        figures["mount with all of it cached"] = time.perf_counter() - begin
        assert status(cache)["cached_files"] == files
    return figures
