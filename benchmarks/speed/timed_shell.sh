#!/bin/bash
# make's SHELL: runs each line of a recipe, and notes in $MUSHROOM_TIMED_SHELL how long it took.
started=$EPOCHREALTIME
/bin/bash "$@"
status=$?
line=${*: -1}
printf '%s\t%s\t%s\n' "$started" "$EPOCHREALTIME" "${line//[$'\n\t']/ }" >>"$MUSHROOM_TIMED_SHELL"
exit $status
