# Sourced by scripts/test: the arm64 rows on a machine of another architecture. Each row is compiled and run in a root folder of Debian 13
# with the compiler and the libraries for arm64. Two emulators are used: qemu-user, which is fast and uses this machine's kernel, and, for
# what that lacks, qemu-system with an arm64 kernel.
# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of scripts/test

on_arm64() {
  local packages
  mapfile -t packages < <(scripts/install-packages --arm64 --list)
  if ! arm64=$(scripts/debian-root trixie "${NUROPB_ROOTS:-$root/build/roots}/trixie-to-arm64" --also arm64 --with "${packages[@]}"); then
    touch "$scratch/no-arm64"
    skip "arm64" "the root folder for it can't be created"
    return
  fi
  run "arm64: build" in_arm64 scripts/build arm64 tests_arm64
  run "arm64: unit, stress (qemu-user)" tests_in_arm64
  run "arm64: quickstart (qemu-user)" in_arm64 scripts/lib/with-arm64 env NUROPB_HARDENING_SECCOMP=false scripts/quickstart --smoke --fresh --bin build/arm64/bin
  run "arm64: on a machine (qemu-system)" on_a_machine_of_arm64
}

in_arm64() { nice -n 19 scripts/lib/in-debian-root "$arm64" "$@"; }

# qemu-user rejects system call filters, which the log writer uses too, and keeps descriptors of messages that are too long: those tests run
# on the emulated machine. A test with a time limit in milliseconds may need a second try, because everything is ten times slower.
tests_in_arm64() {
  in_arm64 ctest --test-dir build/arm64 --output-on-failure --no-tests=error --timeout 600 --repeat until-pass:3 -j 2 -L '^(unit|stress)$' \
    -E '^(Sandbox|LogWriter\.|ControlTest\.RubbishIsNamedAndItsDescriptorsAreClosed$)' | without_passed
}

on_a_machine_of_arm64() {
  local bin=build/arm64/bin
  in_arm64 scripts/lib/arm64-machine $bin/{sandbox_test,common_test,shm_test,nuropb-meshd,nuropb-edge} tests/{support,arm64} scripts/lib/wsclient.py -- \
    sh -ec "$bin/sandbox_test --gtest_brief=1; $bin/common_test --gtest_brief=1 --gtest_filter=LogWriter.*; $bin/shm_test --gtest_brief=1
      NUROPB_BIN=$bin python3 tests/arm64/machine.py"
}
