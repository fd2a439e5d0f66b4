# Sourced by scripts/test: selects the RabbitMQ release of the test brokers (scripts/broker, NUROPB_BROKER_ROOT).
# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of scripts/test

# deny_deprecated: nodes that are created from here on permit no transient queue that is not exclusive.
deny_deprecated() {
  export NUROPB_BROKER_CONFIG='deprecated_features.permit.transient_nonexcl_queues = false'
  export NUROPB_WITHOUT_PEERS=1  # the Python peers cannot connect to such a node
}

# rabbitmq_of ROOT: the version of the package in that root ("": the machine's own); nothing if it is not installed.
rabbitmq_of() {
  dpkg-query --admindir="$1/var/lib/dpkg" -W -f '${Version}' rabbitmq-server 2>/dev/null || true
}

# use_rabbitmq VERSION: from here on scripts/broker starts nodes of that version. The machine's own is used if it has that version,
# otherwise that of the Debian release which has it. Returns 1, with the reason on standard error, if there is none.
use_rabbitmq() {
  local version=$1 release="" folder
  case $version in
    3.10) release=bookworm ;;
    4.0) release=trixie ;;
    4.3) release=testing ;;
    *) echo "there is no Debian release with RabbitMQ $version here (3.10, 4.0, 4.3)" >&2; return 1 ;;
  esac
  export NUROPB_BROKER_ROOT=""
  [[ $(rabbitmq_of "") != "$version".* ]] || return 0
  folder=$(scripts/debian-root "$release" --with rabbitmq-server) || return 1
  if [[ $(rabbitmq_of "$folder") != "$version".* ]]; then
    echo "$folder has RabbitMQ $(rabbitmq_of "$folder"), not $version: remove it so that it is created again, or find out which release has $version now" >&2
    return 1
  fi
  export NUROPB_BROKER_ROOT=$folder
}

# on_rabbitmq_43: tests that CI runs in addition, on the newest RabbitMQ in Debian. A subshell, so that what follows uses the release's own
# broker again.
on_rabbitmq_43() (
  if ! use_rabbitmq 4.3; then
    touch "$scratch/no-rabbitmq43"
    skip "RabbitMQ 4.3" "there is no such broker on this machine"
    return
  fi
  echo "4.3=$(rabbitmq_of "$NUROPB_BROKER_ROOT")" >>"$scratch/elsewhere"
  export NUROPB_BROKER_DIR=$scratch/broker-43
  "$NUROPB_TEST_BROKER" start
  NUROPB_TEST_AMQP_URL=$("$NUROPB_TEST_BROKER" url)
  export NUROPB_TEST_AMQP_URL
  run "RabbitMQ 4.3: mesh" tests_of release '^mesh$'
  run "RabbitMQ 4.3: gateway" pytests integration/gateway
  "$NUROPB_TEST_BROKER" stop
)
