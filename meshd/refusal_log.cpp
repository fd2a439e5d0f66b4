#include "meshd/refusal_log.hpp"

#include "common/log.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::array<const char*, 4> texts{"session refused", "session can't be authenticated now", "authorize refused",
                                           "resume failed"};

}  // namespace

bool RefusalLog::tell(Kind kind, SteadyTime now, const SessionId& session, std::string_view address,
                      std::string_view user, std::string_view reason) {
  Lines& lines = lines_[static_cast<std::size_t>(kind)];
  const Rates rates{.messages_per_s = per_second, .messages_burst = at_once};
  if (lines.limit.take(rates, now, 0).over != RateLimit::Over::nothing) {
    ++lines.left_out;
    return false;
  }
  log::info(texts[static_cast<std::size_t>(kind)],
            {{"session", session.hex()},
             {address.empty() ? "user" : "address", address.empty() ? user : address},
             {"reason", reason},
             {"left_out", lines.left_out}});
  lines.left_out = 0;
  return true;
}

}  // namespace nuropb::meshd
