#!/bin/sh
# PrologSlurmctld: a cache over the nodes of a job, before it begins. It runs on the controller as the user of slurmctld,
# whose ssh has to log in as root on the nodes ("User root" in its configuration), and who can write into
# /var/lib/forebay and into the external directory. If it fails, Slurm requeues the job and tries again; why is in
# /var/lib/forebay/log.
#
# A node has one such cache at a time: for partitions with OverSubscribe=EXCLUSIVE.
#
#   PrologSlurmctld=/etc/slurm/forebay-prolog.sh
set -eu
exec 2>>/var/lib/forebay/log
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin # slurmctld gives none
export PATH
nodes=/var/lib/forebay/job-$SLURM_JOB_ID
data=/nvme/forebay-$SLURM_JOB_ID
longest_wait=600 # seconds

# Whether one of the nodes has the cache of another job.
in_use() {
    hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
    for other in /var/lib/forebay/job-*; do
        if [ "$other" = "$nodes" ]; then continue; fi
        list=$(cat "$other" 2>/dev/null) || continue
        if [ -n "$list" ] && scontrol show hostnames "$list" | grep -qxF "$hosts"; then return 0; fi
    done
    return 1
}

# The job ran before, and its epilog failed: what it left is brought out first, from the nodes that it had then. Data of
# a node that is not mounted any more is kept: then this fails until somebody has looked after it.
if [ -e "$nodes" ]; then
    forebay cluster stop --nodefile "$nodes" --data "$data" --mount /fast --purge
    rm -f -- "$nodes"
fi

# Slurm gives nodes to the next job while the epilog of the one before still brings its data out.
while in_use; do
    if [ "$longest_wait" -le 0 ]; then
        echo "job $SLURM_JOB_ID: its nodes have the cache of another job still, see $other" >&2
        exit 1
    fi
    longest_wait=$((longest_wait - 1))
    sleep 1
done

printf '%s\n' "$SLURM_JOB_NODELIST" >"$nodes"
if forebay cluster start --nodefile "$nodes" --data "$data" --mount /fast --external /gpfs/project; then exit 0; fi
# The job has not begun: there is nothing in this cache that could be lost.
forebay cluster stop --nodefile "$nodes" --data "$data" --mount /fast --purge --discard || :
rm -f -- "$nodes"
exit 1
