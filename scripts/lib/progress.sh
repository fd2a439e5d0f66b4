# Sourced by slow scripts: after two seconds of waiting they report what they wait for. A log gets a line every NUROPB_SAY_EVERY seconds
# (30).
# shellcheck shell=bash

# patiently WHAT LOG COMMAND...: runs the command with its output in the file LOG. Meanwhile it reports on standard error the elapsed time
# and the last line of output: on a terminal in one line that is updated, in a log from time to time.
patiently() {
  local what=$1 log=$2 code=0 hold teller
  shift 2
  : >"$log"
  # The reporter runs until this end of the pipe is closed, so it ends with this script, however that ends.
  exec {hold}> >(tell_while_open "$what" "$log" >&2)
  teller=$!
  "$@" >"$log" 2>&1 {hold}>&- || code=$?
  exec {hold}>&-
  wait "$teller" || true
  return $code
}

tell_while_open() {
  local every=${NUROPB_SAY_EVERY:-30} from=$SECONDS pause code said
  [ ! -t 2 ] || every=2
  pause=$((every < 5 ? every : 5))
  while code=0; read -rt "$pause" || code=$?; [ $code -gt 128 ]; do
    pause=$every
    said=$(tail -c 400 "$2" | tr '\r' '\n' | grep . | tail -n 1 || true)
    said="$1, $((SECONDS - from)) s so far${said:+: $said}"
    if [ -t 2 ]; then
      printf '\r\033[K%.*s' "$(($(tput cols 2>/dev/null || echo 80) - 1))" "$said"
    else
      echo "$said"
    fi
  done
  [ ! -t 2 ] || printf '\r\033[K'
}

# thinned: filters what ninja writes to a log: one line from time to time instead of one per file, the last one, and everything else.
thinned() {
  local line next=0
  while IFS= read -r line; do
    if [[ $line =~ ^\[[a-z]+\ ([0-9]+)/([0-9]+)\]\  ]] && [ "${BASH_REMATCH[1]}" != "${BASH_REMATCH[2]}" ]; then
      [ $SECONDS -ge $next ] || continue
      next=$((SECONDS + ${NUROPB_SAY_EVERY:-30}))
    fi
    printf '%s\n' "$line"
  done
}
