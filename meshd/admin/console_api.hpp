#pragma once
// What the console asks for, whose edge is believed in nothing: it hands on a token, which is authenticated here like any other, and
// a question. Owner thread: the event loop.

#include <cstdint>
#include <string>
#include <utility>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/log_pause.hpp"
#include "common/records.hpp"
#include "meshd/admin/admin_operations.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class ConsoleApi {
 public:
  ConsoleApi(const Config& config, const Clock& clock, Authorizer& authorizer, AdminOperations& operations,
             WorkerPort& workers)
      : config_(config), clock_(clock), authorizer_(authorizer), operations_(operations), workers_(workers) {}

  /// The answer goes to the edge with this sequence, from here or later.
  void handle(WorkerId worker, std::uint64_t sequence, const records::ConsoleCall& call);

 private:
  using Answer = std::pair<std::uint16_t, std::string>;  // HTTP's code, and the body
  Answer answer(const Verdict& verdict, const std::string& what, const std::string& params);
  void send(WorkerId worker, std::uint64_t sequence, Answer answer);

  const Config& config_;
  const Clock& clock_;
  Authorizer& authorizer_;
  AdminOperations& operations_;
  WorkerPort& workers_;
  std::string status_;  // for those who ask within a moment
  SteadyTime status_until_{};
  log::Pause refused_pause_{std::chrono::seconds(10)};
};

}  // namespace nuropb::meshd
