#pragma once
// Layout of a record's bytes: the fixed heads, and a writer and a reader for them. Private to records*.cpp.

#include <cassert>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>

#include "common/records.hpp"

namespace nuropb::records {

// The fixed heads, little-endian and without padding. Both processes run on one host, so host byte order is used.
struct OpenSessionHead {
  std::uint32_t session, serial;
  std::uint8_t session_id[16];
  std::uint32_t kind, credential, peer, handler;
  std::uint64_t valid_until;
};
struct CloseSessionHead {
  std::uint32_t session, serial, lost;
};
struct RequestHead {
  std::uint32_t session, serial;
  std::uint64_t deadline_ms;
  std::uint64_t sent_us;
  std::uint32_t waited_us, traceparent;
  std::uint32_t service, method, trace_id, params;
};
struct EventHead {
  std::uint32_t session, serial;
  std::uint64_t deadline_ms;
  std::uint64_t sent_us;
  std::uint32_t waited_us, traceparent;
  std::uint32_t topic, trace_id, event, target;
};
struct SubscriptionHead {
  std::uint32_t session, serial;
  std::uint64_t deadline_ms;
  std::uint64_t sent_us;
  std::uint32_t waited_us, traceparent;
  std::uint32_t topic, trace_id;
};
struct AuthorizeHead {
  std::uint32_t session, serial;
  std::uint64_t deadline_ms;
  std::uint32_t token, trace_id;
};
struct SessionNoticeHead {
  std::uint32_t session, serial, text;
};
struct ResumeHead {
  std::uint32_t what, session, serial, token;
  std::uint64_t number, deadline_ms;
  std::uint32_t trace_id, text;
};
struct NumberedHead {
  std::uint32_t session, serial;
  std::uint64_t number;
  std::uint32_t flags, text;
  std::uint64_t taken_us;
  std::uint32_t request_ring_us, broker_us, service_us, reserved;
};
struct ResumedHead {
  std::uint32_t what, session, serial, token;
  std::uint64_t number;
  std::uint8_t session_id[16];
  std::uint32_t text, reserved;
};
struct MeshEventHead {
  std::uint32_t topic, event, context, target, handler, traceparent;
};
struct SubscriptionEndedHead {
  std::uint32_t session, serial, topic, error;
};
struct SessionAcceptedHead {
  std::uint32_t session, serial, user_id, username, ticket, resume;
};
struct EndingHead {  // session_refused and end_session
  std::uint32_t session, serial, code, reason;
};
struct ResponseHead {
  std::uint32_t session, outcome, result, error;
  std::uint64_t taken_us;
  std::uint32_t request_ring_us, broker_us, service_us, reserved;
};
struct PushHead {
  std::uint64_t op;
  std::uint32_t flags, sessions, text, handler;
};
struct CloseSessionsHead {
  std::uint64_t op;
  std::uint32_t flags, code, sessions, reason, handler, reserved;
};
struct PushedHead {
  std::uint64_t op;
  std::uint32_t taken, reserved;
};
struct SnorkyCallHead {
  std::uint64_t sent_us;
  std::uint32_t waited_us, traceparent;
  std::uint32_t session, serial, flags, service, command, call_id, params, reserved;
};
struct BackendCallHead {
  std::uint32_t key, service, command, call_id, params;
};
struct ConsoleCallHead {
  std::uint32_t token, what, params;
};
struct SnorkyAnswerHead {
  std::uint32_t session, serial, key, call, text;
};
struct BackendAnswerHead {
  std::uint32_t status, text;
};
static_assert(sizeof(OpenSessionHead) == 48 && sizeof(CloseSessionHead) == 12 && sizeof(RequestHead) == 48);
static_assert(sizeof(EventHead) == 48 && sizeof(SubscriptionHead) == 40 && sizeof(AuthorizeHead) == 24 &&
              sizeof(SessionNoticeHead) == 12 && sizeof(MeshEventHead) == 24 && sizeof(SubscriptionEndedHead) == 16);
static_assert(sizeof(ResumeHead) == 40 && sizeof(NumberedHead) == 48 && sizeof(ResumedHead) == 48);
static_assert(sizeof(SessionAcceptedHead) == 24 && sizeof(EndingHead) == 16 && sizeof(ResponseHead) == 40);
static_assert(sizeof(PushHead) == 24 && sizeof(CloseSessionsHead) == 32 && sizeof(PushedHead) == 16 &&
              sizeof(SessionRef) == 8);
static_assert(sizeof(SnorkyCallHead) == 48 && sizeof(BackendCallHead) == 20 && sizeof(ConsoleCallHead) == 12 &&
              sizeof(SnorkyAnswerHead) == 20 && sizeof(BackendAnswerHead) == 8);

inline constexpr std::uint32_t flag_restoring = 1;                  // in SnorkyCallHead
inline constexpr std::uint32_t flag_all = 1, flag_whole_frame = 2;  // in PushHead and CloseSessionsHead

inline constexpr std::uint32_t flag_answers = 1, flag_inherited = 2, flag_refused = 4;  // in NumberedHead
inline constexpr std::uint32_t outcome_shift = 8;                                       // there, above the flags
inline std::optional<HandlerKind> handler_kind(std::uint32_t number) {
  return number < handler_kinds ? std::optional(static_cast<HandlerKind>(number)) : std::nullopt;
}
inline std::uint32_t number_of(HandlerKind kind) { return static_cast<std::uint32_t>(kind); }

inline std::uint32_t size32(std::string_view text) {
  assert(text.size() <= std::numeric_limits<std::uint32_t>::max());
  return static_cast<std::uint32_t>(text.size());
}

template <class Head>
void put(std::string& out, const Head& head, std::initializer_list<std::string_view> texts) {
  const std::size_t before = out.size();
  std::size_t size = before + sizeof head;
  for (const auto text : texts) size += text.size();
  // One resize is cheaper than an append per piece: most pieces are short.
  out.resize(size);
  char* at = out.data() + before;
  std::memcpy(at, &head, sizeof head);
  at += sizeof head;
  for (const auto text : texts) at += text.copy(at, text.size());
}

/// Cuts the texts off the payload one by one. complete() is true only if every length was within its bound and no bytes
/// are left.
class Reader {
 public:
  explicit Reader(std::string_view payload) : rest_(payload) {}
  template <class Head>
  bool head(Head& head) {
    if (rest_.size() < sizeof head) return false;
    std::memcpy(&head, rest_.data(), sizeof head);
    rest_.remove_prefix(sizeof head);
    return true;
  }
  std::string_view text(std::uint32_t size, std::size_t maximum) {
    if (size > maximum || size > rest_.size()) {
      good_ = false;
      return {};
    }
    const auto text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  [[nodiscard]] bool complete() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

inline constexpr std::size_t no_bound =
    std::numeric_limits<std::uint32_t>::max();  // the ring header's bounds hold already

}  // namespace nuropb::records
