#include "bench/loadgen/consumer.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <charconv>

namespace nuropb::bench {

std::unique_ptr<Consumer> Consumer::make(const Options& options, std::size_t number, Outcome& outcome) {
  if (options.http) return std::make_unique<HttpConsumer>(options, number, outcome);
  return std::make_unique<WebSocketConsumer>(options, number, outcome);
}

Consumer::Consumer(const Options& options, std::size_t number, Outcome& outcome)
    : options_(options),
      outcome_(outcome),
      place_(place_of(options.urls[number % options.urls.size()])),
      stream_(place_, number / options.urls.size()) {
  if (place_.tls) die("wss:// is only for --hold");
}

void Consumer::request(Clock::time_point since, bool counts) {
  std::size_t slot = sent_.size();
  if (free_.empty()) {
    sent_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  // The trace id is the slot and a count, so each answer can be identified and counted only once.
  Sent& sent = sent_[slot];
  ++sent.count;
  write_request(std::to_string(slot) + "." + std::to_string(sent.count));
  sent.since = since;
  sent.waits = true;
  sent.counts = counts;
  ++outcome_.sent;
}

std::size_t Consumer::readable() {
  char buffer[65536];
  const ssize_t n = ::recv(fd(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (n <= 0) die("the server closed a connection");
  in_.append(buffer, static_cast<std::size_t>(n));
  return take_answers();
}

void Consumer::answered(const char* at, std::string_view text, bool error) {
  const char* const end = text.data() + text.size();
  std::size_t slot = 0;
  std::uint64_t count = 0;
  const auto first = std::from_chars(at, end, slot);
  const auto second = first.ptr < end ? std::from_chars(first.ptr + 1, end, count) : first;
  if (first.ec != std::errc() || second.ec != std::errc() || slot >= sent_.size())
    die("an answer to nothing that was asked: " + std::string(text));
  Sent& sent = sent_[slot];
  if (!sent.waits || sent.count != count) die("an answer for the second time: " + std::string(text));
  sent.waits = false;
  free_.push_back(slot);
  if (sent.counts)
    outcome_.latency.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now() - sent.since).count()));
  ++outcome_.answered;
  if (error) outcome_.add_error(text);
}

void Consumer::flush() {
  if (out_.empty()) return;
  stream_.write(out_);
  out_.clear();
}

WebSocketConsumer::WebSocketConsumer(const Options& options, std::size_t number, Outcome& outcome)
    : Consumer(options, number, outcome),
      head_("{\"type\":\"request\",\"payload\":{\"service\":\"" + options.service + "\",\"method\":\"" +
            options.method + "\",\"params\":" + options.params + ",\"trace_id\":\"") {
  open_websocket(stream_, place_, options.token, !options.echo, in_);
  take_answers();
  flush();
}

void WebSocketConsumer::write_request(std::string_view trace_id) {
  payload_ = head_;
  payload_ += trace_id;
  payload_ += "\"}}";
  append_frame(out_, 1, payload_);
}

std::size_t WebSocketConsumer::take_answers() {
  std::size_t at = 0, answers = 0;
  while (const auto frame = next_frame(in_, at)) {
    if (frame->opcode == 9) append_frame(out_, 10, frame->payload);
    if (frame->opcode != 1) continue;
    answer(frame->payload);
    ++answers;
  }
  in_.erase(0, at);
  return answers;
}

void WebSocketConsumer::answer(std::string_view text) {
  static constexpr std::string_view mark = "\"trace_id\":";
  if (options_.echo && !text.starts_with(head_)) die("not what was sent: " + std::string(text));
  auto at = options_.echo ? head_.size() - 1 - mark.size() : text.find(mark);
  if (at == std::string_view::npos) die("an answer without a trace_id: " + std::string(text));
  at = text.find('"', at + mark.size());
  // Both gateways write it in this form, ours without the blank.
  answered(text.data() + at + 1, text,
           !options_.echo && text.find("\"error\":null") == std::string_view::npos &&
               text.find("\"error\": null") == std::string_view::npos);
}

HttpConsumer::HttpConsumer(const Options& options, std::size_t number, Outcome& outcome)
    : Consumer(options, number, outcome),
      head_("POST /call/" + options.service + "/" + options.method + " HTTP/1.1\r\nHost: " + place_.host +
            "\r\nAuthorization: Bearer " + options.token + "\r\nX-Request-Id: "),
      tail_("\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(options.params.size()) +
            "\r\n\r\n" + options.params) {}

void HttpConsumer::write_request(std::string_view trace_id) { out_.append(head_).append(trace_id).append(tail_); }

std::size_t HttpConsumer::take_answers() {
  static constexpr std::string_view end_of_head = "\r\n\r\n", length_header = "\r\nContent-Length: ",
                                    id_header = "\r\nX-Request-Id: ", good = "HTTP/1.1 200";
  std::size_t at = 0, answers = 0;
  const auto value_in = [](std::string_view head, std::string_view header) {
    const auto found = head.find(header);
    if (found == std::string_view::npos) die("a response without a header: " + std::string(head));
    return head.data() + found + header.size();
  };
  for (;;) {
    const std::string_view left = std::string_view(in_).substr(at);
    const auto head_size = left.find(end_of_head);
    if (head_size == std::string_view::npos) break;
    const std::string_view head = left.substr(0, head_size);
    std::size_t length = 0;
    std::from_chars(value_in(head, length_header), head.data() + head.size(), length);
    const std::size_t whole = head_size + end_of_head.size() + length;
    if (left.size() < whole) break;
    answered(value_in(head, id_header), left.substr(0, whole), !head.starts_with(good));
    at += whole;
    ++answers;
  }
  in_.erase(0, at);
  return answers;
}

}  // namespace nuropb::bench
