#pragma once
// Shared by the programs that use rabbitmq-c directly: connecting, and the headers of every NuroPb message.

#include <array>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "meshd/amqp/rabbitmq_c.hpp"
#include "meshd/amqp/url.hpp"

namespace nuropb::bench {

[[noreturn]] inline void die(std::string_view why) {
  std::cerr << "bench on rabbitmq-c alone: " << why << '\n';
  std::exit(1);
}

inline amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
inline std::string_view view(amqp_bytes_t b) { return {static_cast<const char*>(b.bytes), b.len}; }

inline amqp_table_entry_t header(const char* key, const char* value) {
  amqp_table_entry_t entry{};
  entry.key = amqp_cstring_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = amqp_cstring_bytes(value);
  return entry;
}
inline std::array<amqp_table_entry_t, 5> headers(const char* type) {
  return {header("nuropb_protocol", "0.1.1"), header("nuropb_version", "0.1.8"), header("nuropb_type", type),
          header("trace_id", "bench"), header("encrypted", "")};
}

/// Logs in and opens channel 1, or ends the process with the reason.
inline amqp_connection_state_t connect(std::string_view url_text) {
  const auto url = amqp::parse_url(url_text);
  if (!url) die(url.error().text());
  const auto connection = amqp_new_connection();
  amqp_socket_t* const socket = amqp_tcp_socket_new(connection);
  if (amqp_socket_open(socket, url->host.c_str(), url->port) != AMQP_STATUS_OK) die("no connection");
  const auto login = amqp_login(connection, url->vhost.c_str(), 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, url->user.c_str(),
                                url->password.c_str());
  if (login.reply_type != AMQP_RESPONSE_NORMAL) die("login refused");
  amqp_channel_open(connection, 1);
  return connection;
}

/// Of what was asked for last.
inline void answered(amqp_connection_state_t connection, const char* what) {
  if (amqp_get_rpc_reply(connection).reply_type != AMQP_RESPONSE_NORMAL) die(what);
}

}  // namespace nuropb::bench
