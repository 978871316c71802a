#!/bin/sh
# A task a job file, on Slurm; stopped near its time limit a run goes on by itself (docs/slurm.md).
#   sbatch --array=1-3 scripts/slurm.sh jobs/a.yaml jobs/b.yaml jobs/c.yaml
#SBATCH --job-name=retort
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=retort-%A_%a.log
set -u
task=${SLURM_ARRAY_TASK_ID:-1}
[ "$task" -ge 1 ] && [ "$task" -le $# ] || {
    echo "slurm.sh: task $task of $# job files" >&2
    exit 2
}
shift $((task - 1))
job=$1
echo "slurm.sh: $job on $(hostname), start $((${SLURM_RESTART_COUNT:-0} + 1)), $(date)"

time_is_up= ended=
trap 'time_is_up=yes && kill -TERM "$run"' USR1
trap 'ended=yes' TERM # which retort gets, too
"${RETORT:-retort}" run "$job" --threads "${SLURM_CPUS_PER_TASK:-0}" &
run=$!
wait $run
status=$?
while kill -0 $run 2>/dev/null; do # a trap ended the wait, not retort
    wait $run
    status=$?
done

[ $status -ne 130 ] || [ -z "$time_is_up" ] || scontrol requeue "$SLURM_JOB_ID"
[ $status -ne 130 ] || [ -z "$ended" ] || sleep "${PATIENCE:-600}" # Slurm, not the script, ends the task
exit $status
