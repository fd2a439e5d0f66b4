# Sourced by scripts/test: the unit tests of the Python client with Pythons other than the machine's own, if there are any.
# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of scripts/test

# found_pythons: one interpreter for each supported version other than /usr/bin/python3's, if it is installed by pyenv or on the PATH.
found_pythons() {
  local ours minor candidate
  ours=$(/usr/bin/python3 -c 'import sys; print(sys.version_info[1])')
  for minor in 9 10 11 12 13 14; do
    [ "$minor" -ne "$ours" ] || continue
    for candidate in "$(printf '%s\n' "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3."$minor".*/bin/python | sort -V | tail -n 1)" "$(command -v "python3.$minor" || true)"; do
      # pyenv puts a program on the PATH for each version, even if that version is not selected.
      if [ -x "$candidate" ] && "$candidate" -c pass 2>/dev/null; then
        echo "$candidate"
        break
      fi
    done
  done
}

# with_other_pythons: a row for each version. NUROPB_PYTHONS names other interpreters, or none.
with_other_pythons() {
  local python version
  for python in ${NUROPB_PYTHONS-$(found_pythons)}; do
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if venv_of_other_python "$python" "$version" >"$logs/python-$version.log" 2>&1; then
      run "the Python client with Python $version" python_client_with "$version"
    else
      tail -n 5 "$logs/python-$version.log"
      skip "the Python client with Python $version" "PyPI can't be reached"
    fi
  done
}

# venv_of_other_python PYTHON VERSION: with the newest compatible `websockets`. A complete venv is kept.
venv_of_other_python() {
  local venv=$root/build/pythons/$2
  [ ! -e "$venv/complete" ] || return 0
  rm -rf "$venv"
  "$1" -m venv "$venv" &&
    "$venv/bin/pip" install --disable-pip-version-check --retries 2 pytest websockets &&
    touch "$venv/complete"
}

python_client_with() { (cd clients/python && "$root/build/pythons/$1/bin/python" -W error -m pytest -q -p no:cacheprovider -k "not where_it_is_installed" tests); }
