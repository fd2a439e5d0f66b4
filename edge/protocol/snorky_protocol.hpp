#pragma once
// Snorky's protocol (snorky_message.hpp), as WebSockets at snorky.path speak it.

#include "edge/protocol/consumer_protocol.hpp"

namespace nuropb::edge {

class SnorkyProtocol final : public ConsumerProtocol {
 public:
  explicit SnorkyProtocol(json::Limits limits) : ConsumerProtocol(Id::snorky), limits_(limits) {}

  const Frame& frame_of(SharedMessage& message) const override { return message.enveloped(); }
  [[nodiscard]] std::string hello(std::string_view, std::string_view, std::string_view,
                                  const ResumeOffer&) const override {
    return {};
  }
  [[nodiscard]] std::string refusal(std::string_view text, std::string_view why) const override;
  void encode_interruption(std::string& out, std::string_view reference, Interruption why) const override;
  void encode_timeout(std::string& out, std::string_view reference, bool subscribing) const override;

  /// The beginning of an error that answers this call, up to its text: the reference of a pending call.
  [[nodiscard]] static std::string reference_of(std::string_view service, std::string_view raw_call_id);

 private:
  json::Limits limits_;
};

}  // namespace nuropb::edge
