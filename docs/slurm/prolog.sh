#!/bin/sh
# PrologSlurmctld: a cache over the nodes of a job, before it begins. It runs on the controller as the user of slurmctld,
# whose ssh has to log in as root on the nodes ("User root" in its configuration), and who can write into
# /var/lib/forebay and into the external directory. If it fails, the job is requeued.
#
#   PrologSlurmctld=/etc/slurm/forebay-prolog.sh
set -eu
nodes=/var/lib/forebay/job-$SLURM_JOB_ID
printf '%s\n' "$SLURM_JOB_NODELIST" >"$nodes"
exec forebay cluster start --nodefile "$nodes" --data "/nvme/forebay-$SLURM_JOB_ID" --mount /fast \
    --external /gpfs/project
