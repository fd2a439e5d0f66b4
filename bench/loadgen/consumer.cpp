#include "bench/loadgen/consumer.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <charconv>

namespace nuropb::bench {

Consumer::Consumer(const Options& options, std::size_t number, Outcome& outcome)
    : options_(options),
      outcome_(outcome),
      place_(place_of(options.urls[number % options.urls.size()])),
      stream_(place_, number / options.urls.size()),
      head_("{\"type\":\"request\",\"payload\":{\"service\":\"" + options.service + "\",\"method\":\"" +
            options.method + "\",\"params\":" + options.params + ",\"trace_id\":\"") {
  if (place_.tls) die("wss:// is only for --hold");
  open_websocket(stream_, place_, options.token, !options.echo, in_);
  take_frames();
  flush();
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
  payload_ = head_;
  payload_ += std::to_string(slot) + "." + std::to_string(sent.count) + "\"}}";
  append_frame(out_, 1, payload_);
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
  return take_frames();
}

std::size_t Consumer::take_frames() {
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

void Consumer::answer(std::string_view text) {
  static constexpr std::string_view mark = "\"trace_id\":";
  if (options_.echo && !text.starts_with(head_)) die("not what was sent: " + std::string(text));
  auto at = options_.echo ? head_.size() - 1 - mark.size() : text.find(mark);
  if (at == std::string_view::npos) die("an answer without a trace_id: " + std::string(text));
  at = text.find('"', at + mark.size());
  std::size_t slot = 0;
  std::uint64_t count = 0;
  const auto first = std::from_chars(text.data() + at + 1, text.data() + text.size(), slot);
  const auto second = std::from_chars(first.ptr + 1, text.data() + text.size(), count);
  if (first.ec != std::errc() || second.ec != std::errc() || slot >= sent_.size())
    die("an answer to nothing that was asked: " + std::string(text));
  Sent& sent = sent_[slot];
  if (!sent.waits || sent.count != count) die("an answer for the second time: " + std::string(text));
  sent.waits = false;
  free_.push_back(slot);
  if (sent.counts)
    outcome_.latency.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now() - sent.since).count()));
  ++outcome_.answered;
  // Both gateways write it in this form, ours without the blank.
  if (!options_.echo && text.find("\"error\":null") == std::string_view::npos &&
      text.find("\"error\": null") == std::string_view::npos)
    outcome_.add_error(text);
}

void Consumer::flush() {
  if (out_.empty()) return;
  stream_.write(out_);
  out_.clear();
}

}  // namespace nuropb::bench
