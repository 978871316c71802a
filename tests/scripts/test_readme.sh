#!/bin/sh
# README.md shows the job file and the table of keys as they are.
set -eu
RETORT=${RETORT:-./retort} sh scripts/readme.sh --check
