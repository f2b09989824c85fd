"""Runs a test program with a GlusterFS volume as the outside: two servers and a client, each a host of its own.

usage: over_gluster.py PROGRAM [ARGUMENTS]
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import cluster_rivals  # noqa: E402


LIMIT_S = 240  # shorter than whoever started this waits, so that the servers are stopped in any case


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("over_gluster: ended by a signal"))
    # Not /tmp: a brick needs extended attributes, which a tmpfs may not have.
    with tempfile.TemporaryDirectory(prefix="forebay-gluster-", dir="/var/tmp") as root:
        os.chmod(root, 0o755)  # other users pass through it
        with cluster_rivals.GlusterPair(pathlib.Path(root)) as volume:
            os.chmod(volume.root, 0o755)
            environment = os.environ | {"FOREBAY_TEST_EXTERNAL": str(volume.path)}
            return subprocess.run(sys.argv[1:], env=environment, check=False, timeout=LIMIT_S).returncode


if __name__ == "__main__":
    sys.exit(main())
