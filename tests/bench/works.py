"""The work that is measured. Each function does it once in a directory and returns {row: figure}, more is better."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import subprocess
import time

MIB = 1 << 20


def drop_caches():
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")


def fio(directory, size_mib, rw, block, *options):
    words = ["fio", "--name=x", f"--directory={directory}", "--filename=data", f"--size={size_mib}m", f"--rw={rw}",
             f"--bs={block}", "--ioengine=psync", "--invalidate=0", "--fallocate=none", "--output-format=json", *options]
    job = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)["jobs"][0]
    side = job["write" if "write" in rw else "read"]
    return side["iops"] if block == "4k" else side["bw_bytes"] / 1e6


def hit_data(directory, size_mib, seconds):
    figures = {}
    fio(directory, size_mib, "write", "1m")
    figures["sequential write"] = fio(directory, size_mib, "write", "1m", "--loops=3")
    figures["sequential read"] = fio(directory, size_mib, "read", "1m", "--loops=4")
    drop_caches()
    figures["sequential read from disk"] = fio(directory, size_mib, "read", "1m")
    timed = ("--time_based", f"--runtime={seconds}")
    figures["random read 4 KiB"] = fio(directory, size_mib, "randread", "4k", *timed)
    figures["random write 4 KiB"] = fio(directory, size_mib, "randwrite", "4k", *timed)
    os.unlink(os.path.join(directory, "data"))
    return figures


def rate_of(names, action):
    begin = time.perf_counter()
    for name in names:
        action(name)
    return len(names) / (time.perf_counter() - begin)


def create(name):
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


def hit_metadata(directory, files):
    base = os.path.join(directory, "md")
    os.mkdir(base)
    names = [f"{base}/f{number}" for number in range(files)]
    figures = {"create": rate_of(names, create)}
    rate_of(names, os.stat)  # warm: seen within the time for which an answer counts
    figures["stat"] = rate_of(names, os.stat)
    figures["open and close"] = rate_of(names, lambda name: os.close(os.open(name, os.O_RDONLY)))
    begin = time.perf_counter()
    assert len(os.listdir(base)) == files
    figures["readdir"] = files / (time.perf_counter() - begin)
    figures["unlink"] = rate_of(names, os.unlink)
    os.rmdir(base)
    return figures


def read_all(path):
    """MB/s of one sequential reader."""
    buffer = bytearray(MIB)
    total = 0
    begin = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while got := file.readinto(buffer):
            total += got
    return total / 1e6 / (time.perf_counter() - begin)


def first_byte_ms(path):
    begin = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        file.read(4096)
    return (time.perf_counter() - begin) * 1e3


def write_all(path, size_mib, sync):
    """MB/s of one sequential writer."""
    block = os.urandom(MIB)
    begin = time.perf_counter()
    with open(path, "wb", buffering=0) as file:
        for _ in range(size_mib):
            file.write(block)
        if sync:
            os.fsync(file.fileno())
    return size_mib * MIB / 1e6 / (time.perf_counter() - begin)


def create_parallel(directory, files, threads):
    """Files per second, all in one directory."""
    base = os.path.join(directory, "parallel")
    os.mkdir(base)
    begin = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(create, (f"{base}/f{number}" for number in range(files))))
    return files / (time.perf_counter() - begin)


def stat_all(directory):
    """Calls per second."""
    names = [os.path.join(directory, name) for name in os.listdir(directory)]
    return rate_of(names, os.stat)


@contextlib.contextmanager
def big_file(directory, name, size_mib):
    """A file of random bytes. It is emptied afterwards, not removed: the next one must be no old acquaintance."""
    path = pathlib.Path(directory) / name
    write_all(path, size_mib, True)
    try:
        yield path
    finally:
        os.truncate(path, 0)
