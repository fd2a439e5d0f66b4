# Sourced by scripts/test: a test that failed while others ran is run once more alone, so that a machine that was busy for a moment does not
# reject a change. A test that fails again is a failure. Both are in the table and listed by name.
# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of scripts/test

# More failures than this are not caused by load, so nothing is run again.
again_limit=5

# failures_of_row: the path for the current row at which pytest (a folder) or ctest (a file) stores the failed tests.
failures_of_row() { echo "$scratch/failures/$row"; }

# note_failed_ctests VARIANT-FOLDER: keeps ctest's list of numbers and names, which its next run overwrites. Passes the failure on.
note_failed_ctests() {
  local list=$1/Testing/Temporary/LastTestsFailed.log
  [ ! -s "$list" ] || cp "$list" "$(failures_of_row).ctest"
  return 1
}

# ctest_selection LABEL-REGEX: the arguments with which ctest runs the tests of that label, or again only those that failed. With a label
# numbers are counted within it, but they are stored without one, so the two are never combined.
ctest_selection() {
  if [ -z "${again:-}" ]; then echo "-L $1"; else echo "-I 0,0,0,$(cut -d: -f1 "$(failures_of_row).ctest" | paste -sd ,)"; fi
}

# pytest_selection [PART]: the same for pytest. PART distinguishes several runs of pytest in one row.
pytest_selection() {
  echo "-o cache_dir=$(failures_of_row)${1:+-$1}"
  [ -z "${again:-}" ] || echo "--last-failed --last-failed-no-failures=none"
}

# names_of_failures ROW: one line for each failed test.
names_of_failures() {
  local list
  for list in "$scratch/failures/$1"*; do
    case $list in
      *.ctest) cut -d: -f2- "$list" ;;
      *) [ ! -e "$list/v/cache/lastfailed" ] || /usr/bin/python3 -c 'import json, sys; print("\n".join(json.load(open(sys.argv[1]))))' "$list/v/cache/lastfailed" ;;
    esac
  done
}

# to_run_again NAME COMMAND...: called in the lane of the failed row, because the repetition needs the lane's broker.
to_run_again() {
  local name=$1
  shift
  {
    declare -p name
    printf 'command=('; printf '%q ' "$@"; printf ')\n'
    for variable in NUROPB_BROKER_DIR NUROPB_BROKER_ROOT NUROPB_TEST_AMQP_URL debian13; do
      [ -z "${!variable+set}" ] || declare -p "$variable"
    done
  } >"$scratch/again/$row"
}

# run_failed_again: called after all lanes. Rows without test names (a build, lint) stay failed.
run_failed_again() {
  local file row number=0 rows=() names
  for file in "$scratch"/again/*; do
    [ -e "$file" ] || continue
    row=${file##*/}
    names=$(names_of_failures "$row")
    [ -n "$names" ] || continue
    rows+=("$row")
    number=$((number + $(wc -l <<<"$names")))
    printf '%s\n' "$names" | sed "s/^/$row: /" >>"$scratch/failed-tests"
  done
  [ ${#rows[@]} -gt 0 ] || return 0
  say "tests that failed ($number)"
  cat "$scratch/failed-tests"
  if [ $number -gt $again_limit ]; then
    echo "More than $again_limit tests failed: none of them is run again."
    return 0
  fi
  for row in "${rows[@]}"; do
    run_row_again "$row"
  done
}

# A subshell, because the row has its own broker.
run_row_again() (
  again=1
  # shellcheck disable=SC1090  # written by to_run_again
  . "$scratch/again/$1"
  export NUROPB_BROKER_DIR
  [ -z "${NUROPB_BROKER_ROOT+set}" ] || export NUROPB_BROKER_ROOT
  if [ -n "${NUROPB_TEST_AMQP_URL:-}" ]; then
    "$NUROPB_TEST_BROKER" status >/dev/null || "$NUROPB_TEST_BROKER" start
    NUROPB_TEST_AMQP_URL=$("$NUROPB_TEST_BROKER" url)
    export NUROPB_TEST_AMQP_URL
  fi
  in_lanes=0
  # shellcheck disable=SC2154  # defined by the sourced file
  row=$1 run_row "$name, again" "${command[@]}"
)
