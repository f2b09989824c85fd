"""Records what the members of a real cluster say to each other, as seeds for the fuzzers: scripts/fuzz --record.

Small clusters of one node are started, one for each scenario, with a proxy before each daemon's Unix socket. There is
no secret, so what a client has said once can be said again.
"""
import hashlib
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

FOREBAY, FRAMES, REQUESTS, CORPUS = (os.path.abspath(path) for path in sys.argv[1:5])
HEADER = struct.Struct("<IHBBIiQQIIII")
HELLO, REQUEST = 1, 2
SERVICES = {1: 0, 2: 1, 3: 2}  # of the frame's method, to that of tests/fuzz/sequence.h
PEERS = {1: 0, 2: 2, 3: 3, 4: 0}  # by role
MOST_FILE_BYTES = 4096
MOST_BULK_BYTES = 200
MOST_REQUESTS = 64

# As the fuzzers have it: tests/fuzz/requests.cpp, World.
POPULATE = """printf %010000d 0 >a; : >b; truncate -s 3M hole; printf hole | dd of=hole conv=notrunc status=none
mkdir d; printf inner >d/inner; ln -s ../beside link; mkfifo fifo"""
SCENARIOS = [
    "cat a",
    "cat a hole d/inner link b 2>&1; stat -f . a; ls -la . d",
    "echo new >new; cat new; echo more >>new; FOREBAY flush .; cat new",
    "dd if=/dev/zero of=w bs=5000 count=4 status=none; truncate -s 3000 w; truncate -s 90000 w; FOREBAY flush w",
    "cp a c; mv c e; ln e f; ln -s e g; readlink g; rm e f g",
    "mkdir x; mv a x/a; mv x y; rmdir d; ls -l y; rm y/a; rmdir y",
    "mknod p p; chmod 640 a p; chown 1:1 a; touch -d 2001-02-03 a b; touch a; stat a b p",
    "setfattr -n user.x -v one a; getfattr -d a; setfattr -x user.x a; getfacl a; setfacl -m u:1:r a",
    "fallocate -l 20000 b; fallocate -p -o 4096 -l 8192 b; fallocate -z -o 0 -l 4096 b; FOREBAY evict b; cat b",
    "FOREBAY prefetch hole; FOREBAY pin a; FOREBAY stat a hole; FOREBAY unpin a; FOREBAY evict a hole; FOREBAY status .",
    "python3 -c 'import os; f=os.open(\"hole\",os.O_RDWR); print(os.lseek(f,0,3),os.lseek(f,0,4)); os.fsync(f)'",
    "python3 -c 'import os,mmap; f=os.open(\"a\",os.O_RDWR); m=mmap.mmap(f,9); m[0:3]=b\"xyz\"; m.flush()'; cat a",
    "echo outside >OUTSIDE/b; cat b; echo mine >b; sleep 1.1; echo theirs >OUTSIDE/b; FOREBAY flush b; ls",
    "sh -c 'exec 3<>t; rm t; echo gone >&3; cat a >&3'; su -s /bin/sh nobody -c 'echo no >a; mkdir q; ls d' 2>&1",
    "for i in 1 2 3 4 5 6; do echo $i >n$i; done; FOREBAY flush .; FOREBAY evict n1 n2; cat n*; rm n*; FOREBAY targets .",
    "python3 -c 'import os; f=os.open(\".\",os.O_TMPFILE|os.O_RDWR,0o600); os.write(f,b\"t\"); os.fsync(f)'; sync .",
]


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """The fields of a protobuf message: (number, its bytes with the tag, the value)."""
    at = 0
    while at < len(data):
        begin = at
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:  # our messages have no others
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        yield tag >> 3, data[begin:at], value


def without_identity(body, number):
    """A message without what only this run's files are: the identity in its ExternalRef, which is field `number`."""
    result = b""
    for field, raw, value in fields(body):
        if field == number:
            value = b"".join(inner for name, inner, _ in fields(value) if name != 2)
            raw = bytes([number << 3 | 2, len(value)]) + value
        result += raw
    return result


class Recorder:
    """What clients have said, over all connections of a cluster."""

    def __init__(self):
        self.lock = threading.Lock()
        self.connections, self.requests = [], []

    def connection(self):
        with self.lock:
            self.connections.append([])
            return Stream(self, self.connections[-1])


class Stream:
    def __init__(self, recorder, frames):
        self.recorder, self.frames, self.left, self.role = recorder, frames, b"", 1

    def feed(self, data):
        self.left += data
        while len(self.left) >= HEADER.size:
            header = HEADER.unpack_from(self.left)
            end = HEADER.size + header[8] + header[9]
            if len(self.left) < end:
                return
            frame, self.left = self.left[:end], self.left[end:]
            self.take(header, frame)

    def take(self, header, frame):
        body = frame[HEADER.size:HEADER.size + header[8]]
        if header[2] == HELLO:
            self.role = next((value for number, _, value in fields(body) if number == 5), self.role)
        with self.recorder.lock:
            self.frames.append(frame)
            if header[2] == REQUEST:
                self.recorder.requests.append((self.role, header, body, frame[HEADER.size + header[8]:]))


def forward(source, sink, stream):
    try:
        while True:
            data, descriptors, _, _ = socket.recv_fds(source, 1 << 20, 1)
            if not data:
                break
            if stream:
                stream.feed(data)
            while data:
                sent = socket.send_fds(sink, [data], descriptors) if descriptors else sink.send(data)
                for descriptor in descriptors:
                    os.close(descriptor)
                data, descriptors = data[sent:], []
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def put_proxy(path, recorder):
    """Takes the place of a socket that is listened on."""
    os.rename(path, path + ".real")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(100)

    def accept():
        while True:
            try:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(path + ".real")
            except OSError:
                return  # at the end
            stream = recorder.connection()
            threading.Thread(target=forward, args=(client, server, stream), daemon=True).start()
            threading.Thread(target=forward, args=(server, client, None), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener


def start_daemon(root, name, more, recorder):
    os.mkdir(f"{root}/{name}")
    sock = f"{root}/{name}.sock"
    with open(f"{root}/{name}/forebay.toml", "w", encoding="utf-8") as file:
        file.write(f'[cluster]\nname = "node-1"\nmgmtd = "unix:{root}/mgmtd.sock"\nexternal = "{root}/external"\n'
                   f'[{name}]\nlisten = "unix:{sock}"\n{more}\n')
    subprocess.run([FOREBAY, name, "--config", f"{root}/{name}/forebay.toml"], check=True)
    with open(f"{root}/{name}/{name}.pid", encoding="utf-8") as file:
        pid = int(file.read())
    return os.pidfd_open(pid), put_proxy(sock, recorder)


def record(scenario):
    recorder = Recorder()
    root = tempfile.mkdtemp(prefix="forebay-record-")
    os.chmod(root, 0o755)
    daemons = []
    try:
        os.mkdir(f"{root}/external")
        os.mkdir(f"{root}/mount")
        subprocess.run(["sh", "-ec", POPULATE], cwd=f"{root}/external", check=True)
        # metad is the last: it knows the target from its start on.
        for name, more in (("mgmtd", f'data = "{root}/mgmtd/data"'),
                           ("storaged", f'targets = "{root}/storaged/target"'),
                           ("metad", f'data = "{root}/metad/data"')):
            daemons.append(start_daemon(root, name, more, recorder))
        subprocess.run([FOREBAY, "mount", f"{root}/external", f"{root}/mount", "--config",
                        f"{root}/mgmtd/forebay.toml", "--set", "log.target=" + f"{root}/client.log"], check=True)
        try:
            script = scenario.replace("FOREBAY", FOREBAY).replace("OUTSIDE", f"{root}/external")
            subprocess.run(["sh", "-c", script], cwd=f"{root}/mount", check=False, stdout=subprocess.DEVNULL)
        finally:
            subprocess.run([FOREBAY, "unmount", f"{root}/mount"], check=True)
    finally:
        for pidfd, listener in reversed(daemons):
            try:
                signal.pidfd_send_signal(pidfd, signal.SIGTERM)
                select.select([pidfd], [], [], 20)
            except ProcessLookupError:
                pass
            listener.close()
        shutil.rmtree(root, ignore_errors=True)
    return recorder


def encode(role, header, body, bulk):
    service, method = SERVICES[header[4] >> 16], header[4] & 0xFFFF
    if service == 1 and method in (0, 12, 16):  # CachingFile, FlushBegin, CopyOut
        body = without_identity(body, 3)
        if method == 0:
            body = b"".join(raw for number, raw, _ in fields(body) if number != 4)
    bulk = bulk[:MOST_BULK_BYTES]
    room = 0 if header[10] == 0 else 4
    return struct.pack("<BBBBHH", service, method, PEERS.get(role, 0), room, len(body), len(bulk)) + body + bulk


def write(directory, data):
    with open(f"{directory}/{hashlib.sha1(data).hexdigest()}", "wb") as file:
        file.write(data)


def main():
    work = tempfile.mkdtemp(prefix="forebay-corpus-")
    for name in ("frames", "requests"):
        os.mkdir(f"{work}/{name}")
    for scenario in SCENARIOS:
        recorder = record(scenario)
        for frames in recorder.connections:
            data = b""
            for frame in frames:
                if len(data) + len(frame) < MOST_FILE_BYTES:
                    data += frame
            write(f"{work}/frames", b"\0" + data)
        data, count = b"", 0
        for request in recorder.requests:
            encoded = encode(*request)
            # Heartbeats say the same again and again.
            if count < MOST_REQUESTS and len(data) + len(encoded) < MOST_FILE_BYTES and encoded not in data:
                data += encoded
                count += 1
        write(f"{work}/requests", data)
        print(f"record: {len(recorder.connections)} connections, {len(recorder.requests)} requests: {scenario[:60]}")
    for name, program in (("frames", FRAMES), ("requests", REQUESTS)):
        target = f"{CORPUS}/{name}"
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        # A fuzzer writes below its working directory alone.
        os.mkdir(f"{work}/{name}-merged")
        subprocess.run([program, "-merge=1", f"{name}-merged", name], cwd=work, check=True, stderr=subprocess.DEVNULL)
        for file in os.listdir(f"{work}/{name}-merged"):
            shutil.copy(f"{work}/{name}-merged/{file}", target)
        print(f"record: {len(os.listdir(target))} inputs in {target}")
    shutil.rmtree(work)


main()
