#pragma once
// One message for many connections. It is framed once per required shape, when the first connection needs it, and all
// sockets queue the same frame.

#include <optional>
#include <string>
#include <string_view>

#include "edge/transport/websocket.hpp"

namespace nuropb::edge {

class SharedMessage {
 public:
  /// `text` is raw JSON and must outlive this object. A `whole_frame` is already what a /ws socket receives.
  SharedMessage(std::string_view text, bool whole_frame) : text_(text), whole_frame_(whole_frame) {}

  [[nodiscard]] std::string_view text() const { return text_; }
  /// The message unchanged, for /websocket sockets.
  const Frame& plain() {
    if (!plain_) plain_ = prepare(text_);
    return plain_;
  }
  /// The message in Snorky's envelope from the gateway's own service, for /ws sockets.
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
