#!/bin/sh
# Makes the Python environment of the comparisons (make test-st), or leaves it alone where it is
# complete; prints its python.  It is kept in $RETORT_VENV (~/.cache/retort/venv): torch is large.
#   python=$(sh scripts/venv.sh [PACKAGE==VERSION...])      with these packages, too
set -eu
venv=${RETORT_VENV:-$HOME/.cache/retort/venv}
python=$venv/bin/python
pins='sentence-transformers==6.2.0 transformers==5.23.0 torch==2.15.0 tokenizers==0.23.3
    safetensors==0.8.0 pytrec-eval-terrier==0.5.11 numpy==2.4.6
    sqlite-vec==0.1.9'" $*"

is_complete() {
    "$python" - $pins 2>/dev/null <<'END'
import sys
from importlib.metadata import version
pins = [pin.split("==") for pin in sys.argv[1:]]
sys.exit(any(version(name) != wanted for name, wanted in pins))
END
}

install() {
    "$python" -m pip install --quiet --disable-pip-version-check $pins >&2
}

# What is there may lack one small package.
is_complete || { [ -x "$python" ] && install && is_complete; } || {
    echo "venv: making $venv; this takes minutes and some gigabytes" >&2
    mkdir -p "$venv"
    python3 -m venv --clear "$venv" >&2
    install
    is_complete || {
        echo "venv: $venv is not what was asked for after the installation" >&2
        exit 1
    }
}
echo "$python"
