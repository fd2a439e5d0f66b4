// bench_direct_amqp: the same calls without a gateway. A plain rabbitmq-c client: one connection, automatic
// acknowledgements, a fixed number of outstanding requests. It is the baseline for the gateway's overhead. With
// --guarantees it does what the mesh library does: publisher confirms, and an acknowledgement per response.

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <vector>

#include "bench/bare.hpp"
#include "bench/outcome.hpp"
#include "common/ids.hpp"

using namespace nuropb::bench;
using Clock = std::chrono::steady_clock;

int main(int argc, char** argv) {
  std::string url_text, service = "demo", method = "echo", params = "{\"text\":\"hello\"}";
  int outstanding = 128;
  double seconds = 3;
  bool guarantees = false;
  CLI::App app("Calls a NuroPb service over AMQP alone and prints what it found as JSON", "bench_direct_amqp");
  app.add_option("--url", url_text)->envname("NUROPB_BENCH_URL")->required();
  app.add_option("--service", service)->capture_default_str();
  app.add_option("--method", method)->capture_default_str();
  app.add_option("--params", params, "raw JSON")->capture_default_str();
  app.add_option("--outstanding", outstanding)->capture_default_str();
  app.add_option("--seconds", seconds)->capture_default_str();
  app.add_flag("--guarantees", guarantees, "publisher confirms, acknowledgements by hand");
  CLI11_PARSE(app, argc, argv);

  const auto connection = connect(url_text);
  const std::string queue = "nuropb-bench-" + nuropb::random_hex32() + "-rq";
  amqp_queue_declare(connection, 1, bytes(queue), 0, 0, 1, 1, amqp_empty_table);
  if (guarantees) amqp_confirm_select(connection, 1);
  amqp_basic_consume(connection, 1, bytes(queue), amqp_empty_bytes, 0, guarantees ? 0 : 1, 1, amqp_empty_table);
  answered(connection, "can't consume");

  Outcome outcome;
  std::vector<Clock::time_point> sent(static_cast<std::size_t>(outstanding));
  std::vector<std::uint64_t> counts(sent.size());
  auto with = headers("request");
  const auto request = [&](std::size_t slot) {
    const std::string id = std::to_string(slot) + "." + std::to_string(++counts[slot]);
    const std::string body = "{\"tag\":\"request\",\"service\":\"" + service + "\",\"method\":\"" + method +
                             "\",\"params\":" + params + ",\"correlation_id\":\"" + id +
                             "\",\"context\":{\"user_id\":\"bench\"},\"trace_id\":\"bench\"}";
    amqp_basic_properties_t p{};
    p._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG |
               AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_HEADERS_FLAG;
    p.content_type = amqp_cstring_bytes("application/json");
    p.correlation_id = bytes(id);
    p.reply_to = bytes(queue);
    p.expiration = amqp_cstring_bytes("60000");
    p.headers = {static_cast<int>(with.size()), with.data()};
    sent[slot] = Clock::now();
    if (amqp_basic_publish(connection, 1, amqp_cstring_bytes("nuropb-rpc-exchange"), bytes(service), 1, 0, &p,
                           bytes(body)) != AMQP_STATUS_OK)
      die("can't publish");
  };

  const auto started = Clock::now();
  const auto until = started + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  for (std::size_t slot = 0; slot < sent.size(); ++slot) request(slot);
  std::size_t waiting = sent.size();
  bool go_on = true;
  while (waiting > 0) {
    amqp_envelope_t envelope;
    amqp_maybe_release_buffers(connection);
    timeval patience{30, 0};
    const auto got = amqp_consume_message(connection, &envelope, &patience, 0);
    if (got.library_error == AMQP_STATUS_UNEXPECTED_STATE) {  // a confirm
      amqp_frame_t frame;
      if (amqp_simple_wait_frame(connection, &frame) != AMQP_STATUS_OK || frame.frame_type != AMQP_FRAME_METHOD ||
          frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
        die("not confirmed");
      continue;
    }
    if (got.reply_type != AMQP_RESPONSE_NORMAL) die("no answer (is the service running?)");
    const auto now = Clock::now();
    if (go_on && now >= until) {
      go_on = false;
      outcome.stop(std::chrono::duration<double>(now - started).count());
    }
    const auto& id = envelope.message.properties.correlation_id;
    const char* const text = static_cast<const char*>(id.bytes);
    std::size_t slot = 0;
    std::uint64_t count = 0;
    const auto first = std::from_chars(text, text + id.len, slot);
    (void)std::from_chars(first.ptr + 1, text + id.len, count);
    if (slot >= sent.size() || counts[slot] != count) die("an answer to nothing that was asked");
    outcome.latency.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(now - sent[slot]).count()));
    ++outcome.answered;
    const std::string_view body(static_cast<const char*>(envelope.message.body.bytes), envelope.message.body.len);
    if (body.find("\"error\":null") == std::string_view::npos) outcome.add_error(body);
    if (guarantees) amqp_basic_ack(connection, 1, envelope.delivery_tag, 0);
    amqp_destroy_envelope(&envelope);
    if (go_on) request(slot);
    else --waiting;
  }
  outcome.print();
  amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
  amqp_destroy_connection(connection);
  return outcome.errors.empty() ? 0 : 1;
}
