#!/bin/sh
# The main job, on a machine that has nothing but sh and apt: set-up, build, retort run.
#   sh scripts/quickstart.sh [--set KEY=VALUE]...     further arguments go to retort run
set -eu
cd "$(dirname "$0")/.."
job=configs/scifact.yaml

# The (first) path that a key of the job file gives, seen from here.
given() {
    path=$(sed -n "s/^ *$1: *\[*\([^] #,]*\).*/\1/p" $job | head -n 1)
    case $path in
    /*) echo "$path" ;;
    *) echo "configs/$path" ;;
    esac
}

require() { # KEY PATH ARGUMENTS...: the file or folder of this key is there, or another is given
    key=$1 path=$2
    shift 2
    case " $*" in *"$key="*) return ;; esac
    [ -e "$path" ] && return
    echo "quickstart: $path is absent, which $job names as $key" >&2
    absent=1
}

absent=
require teacher.model "$(given model)" "$@"
require data.collection "$(given collection)" "$@"
require evaluate.baselines "$(given baselines)" "$@"
if [ -n "$absent" ]; then
    cat >&2 <<END
Give a cross-encoder (a Hugging Face folder: config.json, model.safetensors, tokenizer.json) and a
collection in BEIR layout (a folder, .zip or .tar.gz); baselines, existing dual encoders to compare
with, may be none:
    sh scripts/quickstart.sh --set teacher.model=DIR --set data.collection=PATH \\
        --set evaluate.baselines=[]
which ends in
    ./retort run $job --set teacher.model=DIR --set data.collection=PATH \\
        --set evaluate.baselines=[]
END
    exit 1
fi

sh scripts/setup.sh
make -s -j"$(nproc)"
set -x
./retort run $job "$@"
