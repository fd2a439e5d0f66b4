#pragma once
// What a service needs on the broker: virtual host, exchanges, dead-letter queue, service queue, bindings (nuropb-wire.md
// section 1, "Topology"). Done by the leader at its start and by `nuropb-ctl mesh configure`. Idempotent; nothing is ever
// deleted, and what is there with other properties is an error, never replaced.
//
// All is declared over AMQP, so that a broker without the management plugin will do; only a virtual host that is missing
// takes RabbitMQ's management HTTP API, as does telling which bindings were there before. Blocks the caller: never on
// a thread that serves.

#include <optional>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "meshd/amqp/step.hpp"
#include "meshd/http/client.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

struct Topology;

/// What a service's part of the mesh consists of, in the order in which it is made. Pure.
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

/// RabbitMQ's management beside an AMQP address: port + 10000, https for amqps, the same user and password.
http::Url management_of(const amqp::Url& url);

struct SetUpSettings {
  TransportSettings transport;
  std::optional<http::Url>
      management;        ///< else management_of() of the AMQP address in use, whose user it has if it names none
  bool dry_run = false;  ///< looks, changes nothing
  bool ask_for_bindings = false;  ///< asks the management which bindings there are; without it their state is unknown
};

struct SetUp {
  enum class Found { there, made, missing, unknown };
  struct Item {
    std::string what;  ///< "exchange nuropb-rpc-exchange (direct)"
    Found state;  ///< missing: in a dry run only. unknown: a binding that nobody could be asked about (it is there now)
  };
  std::string broker;              ///< the address in use, redacted
  std::vector<std::string> notes;  ///< what is otherwise than asked for, and why (queue_forms.hpp)
  std::vector<Item> items;
  [[nodiscard]] std::size_t count(Found state) const;
};

/// The first address of the list that lets us in decides. The error says what to do about it.
Result<SetUp> set_up(const SetUpSettings& settings);

}  // namespace nuropb::mesh
