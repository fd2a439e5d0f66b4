#pragma once
// Broker addresses: amqp://user:password@host:port/vhost and amqps://… (RabbitMQ URI specification).

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace nuropb::amqp {

struct Url {
  bool tls = false;
  std::string host;           ///< without the brackets of an IPv6 literal
  std::uint16_t port = 5672;  ///< 5671 for amqps
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";  ///< percent-decoded; an absent path means "/", an empty one ("amqp://h/") too, as pika does

  /// The address with `***` for the password: the only form that is ever logged or shown.
  [[nodiscard]] std::string redacted() const;
};

/// The error's `where` holds the redacted text.
Result<Url> parse_url(std::string_view text);

}  // namespace nuropb::amqp
