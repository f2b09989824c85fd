#!/bin/sh
# EpilogSlurmctld: brings everything out and removes the cache, after the job has ended. If that fails, the node file
# stays, and so does the cached data: mend what /var/lib/forebay/log names, and run this again, with SLURM_JOB_ID in its
# environment.
#
#   EpilogSlurmctld=/etc/slurm/forebay-epilog.sh
set -eu
exec 2>>/var/lib/forebay/log
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin # slurmctld gives none
export PATH
nodes=/var/lib/forebay/job-$SLURM_JOB_ID
[ -e "$nodes" ] || exit 0
forebay cluster stop --nodefile "$nodes" --data "/nvme/forebay-$SLURM_JOB_ID" --mount /fast --purge
rm -f -- "$nodes"
