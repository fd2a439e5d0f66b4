#pragma once
// Snorky inside meshd: both registries, the backends' keys, and the dispatch from a record to a service and back.
//
//   edge ── snorky_call  ──► consumer_call() ──► frontend registry ──► Answer ──► snorky_answer
//        ── backend_call ──► backend_call()  ──► key? backend registry ──► Answer ──► backend_answer
//
// Independent of the rings: it takes decoded records and returns values. Owner thread: the ring loop.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/config.hpp"
#include "common/json/scan.hpp"
#include "common/records.hpp"
#include "meshd/snorky/backend_keys.hpp"
#include "meshd/snorky/registry.hpp"
#include "meshd/snorky/services_file.hpp"

namespace nuropb::meshd::snorky {

/// The response to the edge.
struct ConsumerAnswer {
  std::string key, call, text;  ///< as in records::SnorkyAnswer
};
struct HttpAnswer {
  std::uint16_t status = 200;
  std::string text;
  std::string key;  ///< the name of the key that lacks the permission (403)
};

class Hub {
 public:
  struct Parts {
    Services services;
    std::optional<BackendKeys> keys;  ///< empty: backends are disabled
    std::size_t max_message = 0;      ///< limits.message_bytes
    std::size_t json_depth = 256;
    std::size_t channels_per_session = 100;
  };
  /// Empty if the config enables neither /ws nor backends. Reads the files that the config names.
  static Result<std::optional<Parts>> parts(const Config& config);

  Hub(Parts parts, Outlet& outlet);

  /// Adds a service for backends (the gateway's own).
  void add_backend(std::unique_ptr<Service> service) { backend_.add(std::move(service)); }

  /// Calls `done` exactly once, immediately or later; the caller has to check whether the socket still exists. Returns
  /// false, and does nothing, for a call that a correct edge never writes.
  bool consumer_call(const records::SnorkyCall& call, const Caller& caller, std::function<void(ConsumerAnswer)> done);
  bool backend_call(const records::BackendCall& call, std::function<void(HttpAnswer)> done);
  void on_session_closed(const SessionRef& session) { frontend_.on_session_closed(session); }
  /// A notification from another gateway's services: untrusted.
  void on_peer(std::string_view json);
  /// Reloads the backends' keys; on an error the previous ones stay in force.
  Result<void> reload();
  [[nodiscard]] bool has_keys() const { return keys_.has_value(); }

  /// The message that an Outlet sends to peer gateways: {"service":S,"body":B}.
  static std::string encode_peer(std::string_view service, std::string_view body);

 private:
  [[nodiscard]] bool honest(std::string_view call_id, std::string_view params) const;
  [[nodiscard]] std::string answer_text(std::string_view service, std::string_view call_id,
                                        const Outcome& outcome) const;

  std::optional<BackendKeys> keys_;
  std::size_t max_message_;
  json::Limits json_limits_;
  Registry frontend_, backend_;
};

}  // namespace nuropb::meshd::snorky
