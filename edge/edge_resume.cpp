// The edge's part in numbered messages (design.md, Resume). meshd alone numbers, keeps and times them, because this
// process may die; the edge passes them on in the order in which they come.
//
// What the edge itself has to say about a request that meshd may have taken (meshd died over it) goes to meshd first,
// which numbers it: a consumer that resumes elsewhere hears of it all the same. What says that a request was never sent
// carries no number: nobody who resumes is to be told of it.

#include <algorithm>
#include <utility>

#include "common/error_names.hpp"
#include "common/messages.hpp"
#include "edge/protocol/client_message.hpp"
#include "edge/edge.hpp"

namespace nuropb::edge {
namespace {

constexpr auto far = std::chrono::hours(24);  // longer than request.max_ttl_ms can be

std::string numbered_text(std::string_view text, std::uint64_t number) {
  std::string out = "{\"seq\":" + std::to_string(number);
  const std::string_view rest = text.substr(1);  // meshd has seen to it that it is an object
  if (rest.find_first_not_of(" \t\r\n}") != std::string_view::npos) out += ',';
  return out.append(rest);
}

}  // namespace

/// True if it needs no record, or has been dealt with.
bool Edge::resume_or_ack(ConsumerHandler& handler, const ClientRequest& message) {
  if (message.ack) {
    if (!handler.numbered()) {
      handler.write_message(
          encode_mistake({std::string(error_name::validation),
                          "nothing is kept for this session: ask for it with resume", std::string(message.trace_id)}));
    } else if (handler.state() == ConsumerHandler::State::open) {
      // One that finds no room is made up for by the next.
      record_.clear();
      records::encode(records::Resume{records::Resume::What::seen, handler.slot(), handler.serial(), message.seq},
                      record_);
      link_.write(records::Type::resume, 0, record_);
    }
    return true;
  }
  if (message.token.size() <= records::max_resume_token) return false;
  count_outcome(RequestOutcome::denied);
  answer(handler, message.trace_id.empty() ? "null" : message.trace_id, "null",
         R"({"error":")" + std::string(error_name::resume_failed) +
             R"(","description":"resume failed: this gateway has given no such token","reason":"unknown"})");
  return true;
}

void Edge::on_numbered(const shm::RecordHeader& header, const records::Numbered& record) {
  ConsumerHandler* const handler = find(record.session);
  if (!handler || handler->serial() != record.serial || !handler->numbered() || record.text.empty()) return;
  auto& numbers = *handler->numbers();
  if (record.answers) {
    const auto asked = pending_.take(header.sequence);
    if (asked && asked->session == record.session && !asked->topic.empty() && !record.refused)
      subscribed(*handler, asked->topic);
    link_.count(shm::EdgeCounter::responses);
    if (asked) {
      count_outcome(record.outcome);
      measure_answered(*handler, *asked, record.outcome, record.stages);
    }
  } else if (record.inherited) {
    numbers.inherited.erase(header.sequence);
  } else {
    link_.count(shm::EdgeCounter::events);
  }
  numbers.last = record.number;
  handler->write_message(numbered_text(record.text, record.number));
}

void Edge::on_resumed(const shm::RecordHeader& header, const records::Resumed& record) {
  ConsumerHandler* const handler = find(record.session);
  if (!handler || handler->serial() != record.serial || handler->state() == ConsumerHandler::State::closing) return;
  switch (record.what) {
    case records::Resumed::What::kept: {
      handler->number_messages(record.token, record.number, handler->session_id());
      // Its events come by themselves from here on.
      for (const std::string& topic : handler->topics())
        subscriptions_[index_of(handler->kind())].remove(topic, handler->slot());
      return;
    }
    case records::Resumed::What::resumed:
      if (pending_.take(header.sequence)) count_outcome(RequestOutcome::ok);
      forget_subscriptions(*handler);
      handler->number_messages(record.token, record.number, record.session_id);
      handler->write_message(record.text);
      return;
    case records::Resumed::What::topic: handler->topics().emplace(record.text); return;
    case records::Resumed::What::pending:
      if (handler->numbered()) handler->numbers()->inherited[header.sequence] = record.text;
      return;
  }
}

/// An answer that ends a request which meshd may have taken. With its sequence where it came from a new meshd, which may read
/// meanwhile that this one is still to be answered.
void Edge::conclude(ConsumerHandler& handler, std::string_view trace_id, std::string_view result,
                    std::string_view error, std::optional<std::uint64_t> sequence) {
  if (!handler.numbered()) return answer(handler, trace_id, result, error);
  std::string text;
  encode_response(text, trace_id, result, error);
  say(handler, std::move(text), sequence);
}

void Edge::say(ConsumerHandler& handler, std::string text, std::optional<std::uint64_t> sequence) {
  if (handler.state() == ConsumerHandler::State::closing) return;
  handler.numbers()->unsaid.emplace_back(sequence ? *sequence + 1 : 0, std::move(text));
  say_unsaid(handler);
}

/// Once this meshd knows the session: until then it waits with it, and is looked at again by subscribe_waiting().
void Edge::say_unsaid(ConsumerHandler& handler) {
  auto& numbers = *handler.numbers();
  if (!numbers.told || handler.state() != ConsumerHandler::State::open) return;
  for (; !numbers.unsaid.empty(); numbers.unsaid.pop_front()) {
    record_.clear();
    const auto& [number, text] = numbers.unsaid.front();
    records::encode(
        records::Resume{records::Resume::What::say, handler.slot(), handler.serial(), number, 0, {}, {}, text},
        record_);
    if (!link_.write(records::Type::resume, 0, record_)) {
      to_say_.insert(&handler);
      return;
    }
  }
}

void Edge::say_all_unsaid() {
  while (!to_say_.empty() && link_.attached() && !link_.full()) say_unsaid(*to_say_.extract(to_say_.begin()).value());
}

/// The next meshd goes on where the last ended. False if there was no room: then the rest of it goes later, but nothing
/// twice: it might be answered by then.
bool Edge::tell_again(ConsumerHandler& handler) {
  auto& numbers = *handler.numbers();
  if (!numbers.told) {
    record_.clear();
    records::encode(
        records::Resume{records::Resume::What::again, handler.slot(), handler.serial(), numbers.last, 0, numbers.token},
        record_);
    if (!link_.write(records::Type::resume, 0, record_)) return false;
    numbers.told = true;
  }
  for (PendingRequest& request : handler.requests().list) {
    if (request.ring_end != 0 || request.trace_id.empty() || request.announced)
      continue;  // only what its predecessor has published
    record_.clear();
    records::encode(records::Resume{records::Resume::What::pending,
                                    handler.slot(),
                                    handler.serial(),
                                    0,
                                    to_ring_ms(request.until),
                                    {},
                                    request.trace_id},
                    record_);
    if (!link_.write(records::Type::resume, request.sequence, record_)) return false;
    request.announced = true;
    let_meshd_keep_time(handler, request);
  }
  return true;
}

/// Whether meshd does not know all of it: of a session that is taken up it would say what is not so.
bool Edge::half_told(ConsumerHandler& handler) const {
  return handler.numbered() && (!handler.numbers()->unsaid.empty() ||
                                std::find(to_subscribe_.begin(), to_subscribe_.end(), &handler) != to_subscribe_.end());
}

/// meshd is gone, and with it what it kept.
void Edge::numbers_lost(ConsumerHandler& handler) {
  auto& numbers = *handler.numbers();
  numbers.told = false;
  const auto inherited = std::exchange(numbers.inherited, {});
  for (const auto& [number, trace_id] : inherited) {
    conclude(handler, trace_id, "null",
             unknown_outcome_json("the gateway's connection to the mesh was lost; the request may have run"));
  }
}

/// So that a request has one outcome, wherever its consumer is by then.
void Edge::let_meshd_keep_time(const ConsumerHandler& handler, PendingRequest& request) {
  if (handler.numbered()) pending_.set_deadline(request, clock_.now() + far);
}

}  // namespace nuropb::edge
