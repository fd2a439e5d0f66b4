#pragma once
// The services of one side, by name (the original's ServiceRegistry): clients and backends have one registry each.

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "meshd/snorky/service.hpp"

namespace nuropb::meshd::snorky {

class Registry {
 public:
  /// A second service with the same name replaces the first.
  Service& add(std::unique_ptr<Service> service);
  [[nodiscard]] Service* find(std::string_view name) const;
  [[nodiscard]] std::size_t size() const { return services_.size(); }
  void on_session_closed(const SessionRef& session);

 private:
  std::map<std::string, std::unique_ptr<Service>, std::less<>> services_;
};

/// The frame of a response: {"service":S,"message":{"type":"response","callId":I,"data":D}}, or of type "error" with a
/// "message". `raw_call_id` empty: the call had no id; then a response has none, and an error has null.
std::string encode_answer(std::string_view service, std::string_view raw_call_id, const Outcome& outcome);
/// The call that an edge stores for replay: {"service":S,"message":{"command":C,"params":P}}.
std::string encode_call(std::string_view service, std::string_view command, std::string_view raw_params);

}  // namespace nuropb::meshd::snorky
