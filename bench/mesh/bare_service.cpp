// bench_bare_service: a service on rabbitmq-c alone, written as such a service would be: one connection, one blocking
// loop, the answer and then the acknowledgement. It gives back the params that it finds, and checks nothing. With
// --guarantees its answers are confirmed, as those of the mesh library are.

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <iostream>

#include "common/json/scan.hpp"
#include "meshd/amqp/url.hpp"

namespace {

[[noreturn]] void die(const std::string& why) {
  std::cerr << "bench_bare_service: " << why << '\n';
  std::exit(1);
}

amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string_view view(amqp_bytes_t b) { return {static_cast<const char*>(b.bytes), b.len}; }

amqp_table_entry_t header(const char* key, const char* value) {
  amqp_table_entry_t entry{};
  entry.key = amqp_cstring_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = amqp_cstring_bytes(value);
  return entry;
}

}  // namespace

int main(int argc, char** argv) {
  std::string url_text, service;
  std::uint16_t prefetch = 200;
  bool guarantees = false;
  CLI::App app("A NuroPb service on rabbitmq-c alone: gives back its params", "bench_bare_service");
  app.add_option("--url", url_text)->required();
  app.add_option("--service", service)->required();
  app.add_option("--prefetch", prefetch)->capture_default_str();
  app.add_flag("--guarantees", guarantees, "publisher confirms");
  CLI11_PARSE(app, argc, argv);

  const auto url = nuropb::amqp::parse_url(url_text);
  if (!url) die(url.error().text());
  const auto connection = amqp_new_connection();
  amqp_socket_t* const socket = amqp_tcp_socket_new(connection);
  if (amqp_socket_open(socket, url->host.c_str(), url->port) != AMQP_STATUS_OK) die("no connection");
  const auto login = amqp_login(connection, url->vhost.c_str(), 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, url->user.c_str(), url->password.c_str());
  if (login.reply_type != AMQP_RESPONSE_NORMAL) die("login refused");
  const auto checked = [&](const char* what) {
    if (amqp_get_rpc_reply(connection).reply_type != AMQP_RESPONSE_NORMAL) die(what);
  };
  amqp_channel_open(connection, 1);
  amqp_exchange_declare(connection, 1, bytes("nuropb-rpc-exchange"), bytes("direct"), 0, 1, 0, 0, amqp_empty_table);
  checked("can't declare the exchange");
  const std::string queue = "nuropb-" + service + "-sq";
  amqp_queue_declare(connection, 1, bytes(queue), 0, 1, 0, 0, amqp_empty_table);
  checked("can't declare the queue");
  amqp_queue_bind(connection, 1, bytes(queue), bytes("nuropb-rpc-exchange"), bytes(service), amqp_empty_table);
  if (guarantees) amqp_confirm_select(connection, 1);
  amqp_basic_qos(connection, 1, 0, prefetch, 0);
  amqp_basic_consume(connection, 1, bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  checked("can't consume");
  std::cout << "ready" << std::endl;

  std::array<amqp_table_entry_t, 5> headers{header("nuropb_protocol", "0.1.1"), header("nuropb_version", "0.1.8"), header("nuropb_type", "response"),
                                            header("trace_id", "bench"), header("encrypted", "")};
  while (true) {
    amqp_envelope_t envelope;
    amqp_maybe_release_buffers(connection);
    const auto got = amqp_consume_message(connection, &envelope, nullptr, 0);
    if (got.library_error == AMQP_STATUS_UNEXPECTED_STATE) {  // a confirm
      amqp_frame_t frame;
      if (amqp_simple_wait_frame(connection, &frame) != AMQP_STATUS_OK) die("the connection is gone");
      continue;
    }
    if (got.reply_type != AMQP_RESPONSE_NORMAL) die("the connection is gone");
    std::array<nuropb::json::Field, 2> fields{{{"params"}, {"context"}}};
    if (nuropb::json::scan(view(envelope.message.body), fields)) die("not JSON");
    const auto& asked = envelope.message.properties;
    std::string body = "{\"tag\":\"response\",\"result\":";
    body += fields[0].value.text;
    body += ",\"error\":null,\"correlation_id\":\"";
    body += view(asked.correlation_id);
    body += "\",\"trace_id\":\"bench\",\"context\":";
    body += fields[1].value.text;
    body += ",\"warning\":null,\"reply_to\":\"\"}";
    amqp_basic_properties_t p{};
    p._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_HEADERS_FLAG;
    p.content_type = amqp_cstring_bytes("application/json");
    p.correlation_id = asked.correlation_id;
    p.headers = {static_cast<int>(headers.size()), headers.data()};
    if (amqp_basic_publish(connection, 1, amqp_empty_bytes, asked.reply_to, 0, 0, &p, bytes(body)) != AMQP_STATUS_OK) die("can't publish");
    amqp_basic_ack(connection, 1, envelope.delivery_tag, 0);
    amqp_destroy_envelope(&envelope);
  }
}
