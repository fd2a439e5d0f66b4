#pragma once
// One message for many connections. It is framed once in each shape that somebody here needs, when the first asks for
// it, and what sockets queue is that one frame.

#include <optional>
#include <string>
#include <string_view>

#include "edge/websocket.hpp"

namespace nuropb::edge {

class SharedMessage {
 public:
  /// `text` is raw JSON and outlives this. A `whole_frame` is what a /ws socket gets already.
  SharedMessage(std::string_view text, bool whole_frame) : text_(text), whole_frame_(whole_frame) {}

  [[nodiscard]] std::string_view text() const { return text_; }
  /// The message as it is: what a /websocket socket gets.
  const Frame& plain() {
    if (!plain_) plain_ = prepare(text_);
    return plain_;
  }
  /// What a /ws socket gets: Snorky's envelope, from the gateway's own service.
  const Frame& enveloped() {
    if (whole_frame_) return plain();
    if (!enveloped_) enveloped_ = prepare(envelope(text_));
    return enveloped_;
  }
  static std::string envelope(std::string_view text) {
    return R"({"service":"gateway","message":)" + std::string(text) + "}";
  }

 private:
  std::string_view text_;
  bool whole_frame_;
  Frame plain_, enveloped_;
};

}  // namespace nuropb::edge
