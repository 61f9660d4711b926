# shellcheck shell=sh
# Which packages the host takes.

step() { takes; }
