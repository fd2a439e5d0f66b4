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
  /// With the outcome in the envelope, since a service's own error has run, whatever its name is.
  void encode_answer(std::string& out, std::string_view reference, std::string_view raw_result,
                     std::string_view raw_error, RequestOutcome outcome) const override {
    encode_response(out, reference, raw_result, raw_error);
    if (outcome != RequestOutcome::error) return;
    out.back() = ',';
    out += R"("outcome":"error"})";
  }
  /// A request that was sent may have run. Over HTTP the status depends on that, so it is in the error, and not only in
  /// its description.
  void encode_timeout(std::string& out, std::string_view reference, bool) const override {
    encode_response(out, reference, "null",
                    unknown_outcome_json("no answer in time; it may have run", error_name::timeout));
  }
};

}  // namespace nuropb::edge
