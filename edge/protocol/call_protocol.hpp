#pragma once
// The nuropb-gw protocol as calls over HTTP use it (edge/http_calls): one request at a time, and nothing but its answer.

#include <string>

#include "common/consumer_messages.hpp"
#include "common/error_names.hpp"
#include "common/messages.hpp"
#include "edge/protocol/nuropb_protocol.hpp"

namespace nuropb::edge {

class CallProtocol final : public NuropbProtocol {
 public:
  using NuropbProtocol::NuropbProtocol;

  [[nodiscard]] bool receives_messages() const override { return false; }
  [[nodiscard]] std::string hello(std::string_view, std::string_view, std::string_view,
                                  const ResumeOffer&) const override {
    return {};
  }
  /// A request that was sent may have run. Over HTTP the status depends on that, so it is in the error, and not only in
  /// its description.
  void encode_timeout(std::string& out, std::string_view reference, bool) const override {
    encode_response(out, reference, "null",
                    unknown_outcome_json("no answer in time; it may have run", error_name::timeout));
  }
};

}  // namespace nuropb::edge
