"""Processes of forebay_load that work together: each is told a phase, and all have begun before one is waited for."""

import contextlib
import dataclasses
import json
import subprocess

import sides

LOAD = sides.ROOT / "build/release/tests/forebay_load"


@dataclasses.dataclass(frozen=True)
class Phase:
    """From the moment when the first one began to that when the last one had ended."""

    seconds: float
    operations: int
    bytes: int

    @property
    def megabytes_per_second(self):
        return self.bytes / 1e6 / self.seconds

    @property
    def per_second(self):
        return self.operations / self.seconds


class Crew(contextlib.AbstractContextManager):
    """One process for each of `directories`, which may be the same one or that of several mounts."""

    def __init__(self, kind, directories, *options):
        self.commands = [[LOAD, kind, "--dir", directory, "--rank", rank, "--ranks", len(directories), *options]
                         for rank, directory in enumerate(directories)]
        self.processes = []

    def __enter__(self):
        for words in self.commands:
            # In a session of its own: Ctrl-C ends us, and we end it.
            self.processes.append(subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE,
                                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                                   start_new_session=True))
        return self

    def __exit__(self, error, *_):
        for process in self.processes:
            if error is not None:
                process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        for process in self.processes:
            process.wait()
            process.stdout.close()
            process.stderr.close()

    def phase(self, name, shift=0):
        for process in self.processes:
            process.stdin.write(f"{name} {shift}\n")
            process.stdin.flush()
        answers = [self.answer_of(process) for process in self.processes]
        return Phase(max(answer["end"] for answer in answers) - min(answer["begin"] for answer in answers),
                     sum(answer["operations"] for answer in answers), sum(answer["bytes"] for answer in answers))

    @staticmethod
    def answer_of(process):
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(process.stderr.read().strip() or "load: a process ended")
        return json.loads(line)


def data(directories, block, *, transfer=1 << 20, layout="own", seed=1):
    """IOR-like, see tests/bench/load/data_work.h; `block` is the bytes of each process."""
    return Crew("data", directories, "--block", block, "--transfer", transfer, "--layout", layout, "--seed", seed)


def names(directories, items, *options):
    """MDTest-like, see tests/bench/load/name_work.h."""
    return Crew("names", directories, "--items", items, *options)
