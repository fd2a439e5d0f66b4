#pragma once
// The nuropb-gw protocol (client_message.hpp), as WebSockets at listen.path and JSON lines speak it.

#include "edge/protocol/consumer_protocol.hpp"

namespace nuropb::edge {

class NuropbProtocol : public ConsumerProtocol {
 public:
  explicit NuropbProtocol(json::Limits limits) : ConsumerProtocol(Id::nuropb), limits_(limits) {}

  const Frame& frame_of(SharedMessage& message) const override { return message.plain(); }
  [[nodiscard]] std::string hello(std::string_view session_id, std::string_view user_id, std::string_view raw_username,
                                  const ResumeOffer& offer) const override;
  [[nodiscard]] std::string refusal(std::string_view text, std::string_view why) const override;
  void encode_interruption(std::string& out, std::string_view reference, Interruption why) const override;
  void encode_timeout(std::string& out, std::string_view reference, bool subscribing) const override;

 private:
  json::Limits limits_;
};

}  // namespace nuropb::edge
