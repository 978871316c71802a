#!/bin/sh
# scripts/slurm.sh without Slurm: the task's job file is run, USR1 stops it and asks for a requeue,
# the next start goes on, TERM to all its processes stops it without one, mistakes keep their status.
. tests/distill/tiny_job.sh
RETORT=$(realpath "$RETORT")
mkdir "$folder/bin"
printf '#!/bin/sh\necho "$@" >>"%s/requeued"\n' "$folder" >"$folder/bin/scontrol"
chmod +x "$folder/bin/scontrol"
script=$PWD/scripts/slurm.sh
make_collection "$folder/collection"
make_job "$folder/a.yaml" "$folder/collection"
sed 's/^name:.*/name: b/; s/^  epochs: .*/  epochs: 60/; /checkpoint_minutes/d' \
    "$folder/a.yaml" >"$folder/b.yaml"
export RETORT PATH="$folder/bin:$PATH" SLURM_JOB_ID=77 SLURM_ARRAY_TASK_ID=2 SLURM_CPUS_PER_TASK=2 PATIENCE=0
cd "$folder" || exit 1

start() { # START: in the background
    rm -f said
    SLURM_RESTART_COUNT=$1 setsid sh "$script" a.yaml b.yaml >said 2>&1 </dev/null &
    batch=$!
}

stop() { # SIGNAL PROCESSES: while it trains
    waited=0
    until grep -qs '^retort: train: ' said || [ $waited -gt 300 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    kill -"$1" "$2"
    wait $batch
    status=$?
}

start 0
stop USR1 $batch
[ $status -eq 130 ] || wrong "USR1: status $status: $(tail -n 5 said)"
[ "$(cat requeued)" = 'requeue 77' ] || wrong "USR1: requeued $(cat requeued)"
grep -q '^slurm.sh: b.yaml on .*, start 1, ' said || wrong "no first line: $(tail -n 5 said)"
[ ! -e runs/b/report.html ] && [ ! -e runs/tiny ] || wrong "the wrong work was done"
rm requeued

start 1
stop TERM -$batch
[ $status -eq 130 ] && [ ! -e requeued ] || wrong "TERM: status $status, $(tail -n 5 said)"

start 2
wait $batch || wrong "the last start: $(tail -n 5 said)"
grep -q 'score: done before' said || wrong "it began anew: $(tail -n 5 said)"
[ -s runs/b/report.html ] && [ ! -e requeued ] || wrong "it is not finished"

SLURM_ARRAY_TASK_ID=3 sh "$script" a.yaml b.yaml 2>said
[ $? -eq 2 ] && grep -q 'task 3 of 2 job files' said || wrong "a task too many: $(tail -n 5 said)"
SLURM_ARRAY_TASK_ID=1 sh "$script" none.yaml >said 2>&1
[ $? -eq 1 ] && [ ! -e requeued ] || wrong "a mistake: $(tail -n 5 said)"
exit $wrong
