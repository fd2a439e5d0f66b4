#pragma once
// Creates what a service needs on the broker: virtual host, exchanges, dead-letter queue, service queue, bindings
// (nuropb-wire.md section 1, "Topology"). Done by the leader at start-up and by `nuropb-ctl mesh configure`.
// Idempotent; nothing is ever deleted, and an existing object with other properties is an error and never replaced.
//
// Everything is declared over AMQP, so the broker's management plugin is optional. RabbitMQ's management HTTP API is
// used only to create a missing virtual host and to find out which bindings existed before. Blocks the caller, so it
// must not be called on a thread that serves clients.

#include <optional>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "meshd/amqp/step.hpp"
#include "meshd/http/client.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

struct Topology;

/// The objects of one service on the broker, in the order of their creation. Pure.
struct Blueprint {
  struct Exchange {
    std::string name;
    const char* type;
  };
  struct Queue {
    std::string name;
    amqp::QueueOptions options;
  };
  struct Binding {
    std::string queue, exchange, key;
  };
  std::vector<Exchange> exchanges;
  std::vector<Queue> queues;
  std::vector<Binding> bindings;
  static Blueprint of(const TransportSettings& settings);
  static Blueprint of(const TransportSettings& settings, const Topology& names);
};

/// The default address of RabbitMQ's management API for an AMQP address: port + 10000, https for amqps, the same user
/// and password.
http::Url management_of(const amqp::Url& url);

struct SetUpSettings {
  TransportSettings transport;
  /// Default: management_of() the AMQP address in use. If it names no user, that address's user applies.
  std::optional<http::Url> management;
  bool dry_run = false;  ///< only reports what would be done
  /// Queries the management API for existing bindings; otherwise their earlier state is unknown.
  bool ask_for_bindings = false;
};

struct SetUp {
  enum class Found { there, made, missing, unknown };
  struct Item {
    std::string what;  ///< "exchange nuropb-rpc-exchange (direct)"
    /// missing: only in a dry run. unknown: a binding that exists now and whose earlier state could not be queried.
    Found state;
  };
  std::string broker;              ///< the address in use, redacted
  std::vector<std::string> notes;  ///< deviations from the settings, with the reason (queue_forms.hpp)
  std::vector<Item> items;
  [[nodiscard]] std::size_t count(Found state) const;
};

/// Uses the first address in the list that accepts the connection. The error contains a hint.
Result<SetUp> set_up(const SetUpSettings& settings);

}  // namespace nuropb::mesh
