#include "meshd/mesh/reply.hpp"

#include <atomic>
#include <iterator>

#include "common/error_names.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "meshd/mesh/wire.hpp"

namespace nuropb::mesh {
namespace {

constexpr auto answer_retry = milliseconds(5);

/// Limits the log rate of failing event handlers, because publishers determine the number of events.
bool event_log_due() {
  static std::atomic<std::int64_t> logged{0};
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  auto last = logged.load();
  return (last == 0 || now - last >= 10) && logged.compare_exchange_strong(last, now);
}

std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

bool KeptEvents::add(NewEvent event) {
  const std::lock_guard lock(mutex_);
  if (!closed_) events_.push_back(std::move(event));
  return !closed_;
}

std::vector<NewEvent> KeptEvents::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  return std::exchange(events_, {});
}

void Reply::State::succeed(std::string_view result, std::vector<NewEvent> more) {
  std::vector<Outgoing> out;
  add_answer(out, result, "null");
  if (events) {
    for (const NewEvent& event : events->close()) add_event(out, event);
  }
  for (const NewEvent& event : more) add_event(out, event);
  send(sender, std::move(out), delivery, Then::ack);
}

void Reply::State::fail(std::string_view error_name, std::string_view description) {
  if (events) events->close();
  if (type == MessageType::event && event_log_due()) {
    log::warning("event was not handled", {{"topic", name}, {"error", error_name}, {"reason", description}});
  }
  std::vector<Outgoing> out;
  add_answer(out, "null", error_json(error_name, description));
  send(sender, std::move(out), delivery, Then::reject);
}

void Reply::State::put_back(std::string_view why) {
  // A message is requeued only once.
  if (redelivered) {
    return fail(error_name::call_again_reject, "Rejecting second call again request for trace_id: " + trace_id +
                                                   ", correlation_id: " + correlation_id + ": " + std::string(why));
  }
  if (events) events->close();
  sender.reject(delivery, true);
}

void Reply::State::add_answer(std::vector<Outgoing>& out, std::string_view result, std::string_view error) const {
  if (type != MessageType::request || reply_to.empty()) return;
  Outgoing& answer = out.emplace_back();
  answer.type = MessageType::response;
  answer.routing_key = reply_to;
  answer.correlation_id = correlation_id;
  if (trace_id.size() <= longest_trace_header) answer.trace_id = trace_id;
  const std::string trace = nuropb::json::quoted(trace_id);
  answer.body = encode_response({result, error, correlation_id, trace, context, "null", reply_to});
  if (!seal) return;
  if (auto sealed = seal(answer.body)) {
    answer.body = std::move(*sealed);
    answer.encrypted = true;
  } else {
    // The result is never sent in plain text; the reason why it is missing may be.
    const std::string why = error_json(error_name::message, "the answer can't be encrypted: " + sealed.error().text());
    answer.body = encode_response({"null", why, correlation_id, trace, "{}", "null", reply_to});
  }
}

void Reply::State::add_event(std::vector<Outgoing>& out, const NewEvent& event) const {
  Outgoing& message = out.emplace_back();
  message.type = MessageType::event;
  message.routing_key = event.topic;
  message.correlation_id = correlation_id;
  if (trace_id.size() <= longest_trace_header) message.trace_id = trace_id;
  const std::string payload = dump(event.payload), target = dump(event.target), trace = nuropb::json::quoted(trace_id);
  message.body = encode_event(
      {event.topic, payload, seal ? std::string_view("{}") : std::string_view(context), correlation_id, trace, target});
}

/// Retries while the transport's queue is full. The prefetch bounds the number of held answers.
void Reply::State::send(const Transport::Sender& sender, std::vector<Outgoing>&& messages, Delivery delivery,
                        Then then) {
  std::size_t gone = 0;
  while (gone < messages.size() && sender.submit(std::move(messages[gone]))) ++gone;
  if (gone == messages.size()) return then == Then::ack ? sender.ack(delivery) : sender.reject(delivery, false);
  auto kept = std::make_shared<std::vector<Outgoing>>(
      std::make_move_iterator(messages.begin() + static_cast<std::ptrdiff_t>(gone)),
      std::make_move_iterator(messages.end()));
  // If the transport stops, this closure and its messages are dropped, and the broker delivers the request again.
  sender.post_at(std::chrono::steady_clock::now() + answer_retry,
                 [sender, kept, delivery, then] { send(sender, std::move(*kept), delivery, then); });
}

Reply::Reply(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reply::Reply(Reply&&) noexcept = default;
Reply& Reply::operator=(Reply&& other) noexcept {
  Reply before(std::move(*this));  // ends this object's former call, if it has not ended
  state_ = std::move(other.state_);
  return *this;
}
Reply::~Reply() {
  if (state_) error(error_name::handling, "method " + state_->name + " ended without an answer");
}

void Reply::result(const nlohmann::json& value) { raw_result(dump(value)); }
void Reply::raw_result(std::string_view json) {
  if (const auto state = std::exchange(state_, nullptr)) state->succeed(json, {});
}
void Reply::success(Success success) {
  if (const auto state = std::exchange(state_, nullptr))
    state->succeed(dump(success.result), std::move(success.events));
}
void Reply::error(std::string_view name, std::string_view description) {
  if (const auto state = std::exchange(state_, nullptr)) state->fail(name, description);
}
void Reply::call_again(std::string_view why) {
  if (const auto state = std::exchange(state_, nullptr)) state->put_back(why);
}

}  // namespace nuropb::mesh
