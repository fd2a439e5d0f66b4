# Sourced by scripts/test: the rows of Debian 13. Each runs in a root folder of that release.
# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of scripts/test

on_debian_13() {
  local packages
  mapfile -t packages < <(scripts/install-packages --list; scripts/install-packages --package --list)
  packages+=(man-db systemd python3-pytest python3-pika python3-websockets)
  if ! debian13=$(scripts/debian-root trixie --with "${packages[@]}"); then
    touch "$scratch/no-debian13"
    skip "Debian 13" "the root folder for it can't be created"
    return
  fi
  echo "Debian 13=$(rabbitmq_of "$debian13")" >>"$scratch/elsewhere"
  run "Debian 13: build" in_debian13 scripts/build release nuropb-programs tests_unit
  run "Debian 13: unit" units_in_debian13
  run "Debian 13: the Python client by itself" python_client_in_debian13
  run "Debian 13: quickstart" in_debian13 scripts/quickstart --smoke
  run "Debian 13: the library's CMake package" mesh_package_in_debian13
  run "Debian 13: the Debian package" in_debian13 sh -c 'cd tests && exec python3 -m pytest -q integration/deploy/test_package.py integration/scripts/test_platforms.py'
}

in_debian13() { nice -n 19 scripts/lib/in-debian-root "$debian13" "$@"; }

units_in_debian13() {
  # shellcheck disable=SC2046  # words
  in_debian13 ctest --test-dir build/release --output-on-failure --no-tests=error --timeout 600 -j 2 $(ctest_selection '^unit$') | without_passed ||
    note_failed_ctests "build/in-${debian13##*/}/release"
}

# Without OpenTelemetry, which is not installed there.
python_client_in_debian13() { in_debian13 sh -c 'cd clients/python && exec python3 -W error -m pytest -q -p no:cacheprovider -k "not where_it_is_installed" tests'; }

mesh_package_in_debian13() {
  # shellcheck disable=SC2016  # for the shell in there
  in_debian13 sh -c 'scripts/broker start || exit 1
    NUROPB_TEST_AMQP_URL=$(scripts/broker url) ctest --test-dir build/release --output-on-failure --no-tests=error -R "^mesh_package"
    code=$?
    scripts/broker stop
    exit $code'
}
