#!/bin/sh
# EpilogSlurmctld: brings everything out and removes the cache, after the job has ended. If that fails, the node file
# stays, and so does the cached data: mend what the message names, and run this again.
#
#   EpilogSlurmctld=/etc/slurm/forebay-epilog.sh
set -eu
nodes=/var/lib/forebay/job-$SLURM_JOB_ID
[ -e "$nodes" ] || exit 0
forebay cluster stop --nodefile "$nodes" --data "/nvme/forebay-$SLURM_JOB_ID" --mount /fast --purge
rm -f -- "$nodes"
