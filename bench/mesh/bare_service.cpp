// bench_bare_service: a plain rabbitmq-c service: one connection, one blocking loop, the answer and then the
// acknowledgement. It returns the received params without checking anything. With --guarantees its answers are
// confirmed, like those of the mesh library.

#include <CLI/CLI.hpp>

#include "bench/bare.hpp"
#include "common/json/scan.hpp"

using namespace nuropb::bench;

int main(int argc, char** argv) {
  std::string url_text, service;
  std::uint16_t prefetch = 200;
  bool guarantees = false;
  CLI::App app("A NuroPb service on rabbitmq-c alone: returns its params", "bench_bare_service");
  app.add_option("--url", url_text)->required();
  app.add_option("--service", service)->required();
  app.add_option("--prefetch", prefetch)->capture_default_str();
  app.add_flag("--guarantees", guarantees, "publisher confirms");
  CLI11_PARSE(app, argc, argv);

  const auto connection = connect(url_text);
  amqp_exchange_declare(connection, 1, bytes("nuropb-rpc-exchange"), bytes("direct"), 0, 1, 0, 0, amqp_empty_table);
  answered(connection, "can't declare the exchange");
  const std::string queue = "nuropb-" + service + "-sq";
  amqp_queue_declare(connection, 1, bytes(queue), 0, 1, 0, 0, amqp_empty_table);
  answered(connection, "can't declare the queue");
  amqp_queue_bind(connection, 1, bytes(queue), bytes("nuropb-rpc-exchange"), bytes(service), amqp_empty_table);
  if (guarantees) amqp_confirm_select(connection, 1);
  amqp_basic_qos(connection, 1, 0, prefetch, 0);
  amqp_basic_consume(connection, 1, bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  answered(connection, "can't consume");
  std::cout << "ready" << std::endl;

  auto with = headers("response");
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
    p.headers = {static_cast<int>(with.size()), with.data()};
    if (amqp_basic_publish(connection, 1, amqp_empty_bytes, asked.reply_to, 0, 0, &p, bytes(body)) != AMQP_STATUS_OK)
      die("can't publish");
    amqp_basic_ack(connection, 1, envelope.delivery_tag, 0);
    amqp_destroy_envelope(&envelope);
  }
}
