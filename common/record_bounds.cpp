#include "common/record_format.hpp"

namespace nuropb::records {

std::optional<Bounds> bounds_to_meshd(std::uint16_t type, std::uint32_t max_message) {
  switch (static_cast<Type>(type)) {
    case Type::open_session: return Bounds{sizeof(OpenSessionHead), sizeof(OpenSessionHead) + max_ticket + max_peer};
    case Type::close_session: return Bounds{sizeof(CloseSessionHead), sizeof(CloseSessionHead)};
    case Type::snorky_call:
      return Bounds{sizeof(SnorkyCallHead),
                    static_cast<std::uint32_t>(sizeof(SnorkyCallHead) + 2 * max_name + max_trace_id + max_traceparent) +
                        max_message};
    case Type::backend_call:
      return Bounds{sizeof(BackendCallHead), static_cast<std::uint32_t>(sizeof(BackendCallHead) + max_backend_key +
                                                                        2 * max_name + max_trace_id) +
                                                 max_message};
    case Type::console_call:
      return Bounds{sizeof(ConsoleCallHead), sizeof(ConsoleCallHead) + max_credential + max_name + max_console_params};
    case Type::pushed: return Bounds{sizeof(PushedHead), sizeof(PushedHead)};
    case Type::subscribe:
    case Type::unsubscribe:
      return Bounds{sizeof(SubscriptionHead), sizeof(SubscriptionHead) + max_name + max_trace_id + max_traceparent};
    case Type::authorize: return Bounds{sizeof(AuthorizeHead), sizeof(AuthorizeHead) + max_credential + max_trace_id};
    case Type::resume:
      return Bounds{
          sizeof(ResumeHead),
          static_cast<std::uint32_t>(sizeof(ResumeHead) + max_resume_token + max_trace_id + max_framing) + max_message};
    case Type::event:
      return Bounds{
          sizeof(EventHead),
          static_cast<std::uint32_t>(sizeof(EventHead) + max_name + max_trace_id + max_traceparent) + max_message};
    case Type::request:
    case Type::command:
    case Type::describe:
      return Bounds{sizeof(RequestHead),
                    static_cast<std::uint32_t>(sizeof(RequestHead) + 2 * max_name + max_trace_id + max_traceparent) +
                        max_message};
    default: return {};
  }
}

std::optional<Bounds> bounds_to_edge(std::uint16_t type, std::uint32_t max_message) {
  switch (static_cast<Type>(type)) {
    case Type::session_accepted:
      return Bounds{sizeof(SessionAcceptedHead),
                    sizeof(SessionAcceptedHead) + max_user_id + max_username + max_ticket + max_resume_token};
    case Type::session_refused:
    case Type::end_session: return Bounds{sizeof(EndingHead), sizeof(EndingHead) + max_reason};
    case Type::session_notice: return Bounds{sizeof(SessionNoticeHead), sizeof(SessionNoticeHead) + max_notice};
    case Type::numbered:
      return Bounds{sizeof(NumberedHead), static_cast<std::uint32_t>(sizeof(NumberedHead) + max_framing) + max_message};
    case Type::resumed: return Bounds{sizeof(ResumedHead), sizeof(ResumedHead) + max_resume_token + max_resumed_text};
    case Type::mesh_event:
      return Bounds{sizeof(MeshEventHead),
                    static_cast<std::uint32_t>(sizeof(MeshEventHead) + max_name + max_traceparent) + max_message};
    case Type::subscription_ended:
      return Bounds{sizeof(SubscriptionEndedHead), sizeof(SubscriptionEndedHead) + max_name + max_error};
    case Type::push:
      return Bounds{
          sizeof(PushHead),
          static_cast<std::uint32_t>(sizeof(PushHead) + max_named_sessions * SessionRefs::entry) + max_message};
    case Type::snorky_answer:
      return Bounds{sizeof(SnorkyAnswerHead),
                    static_cast<std::uint32_t>(sizeof(SnorkyAnswerHead) + 2 * max_standing + max_error) + max_message};
    case Type::backend_answer:
      return Bounds{sizeof(BackendAnswerHead),
                    static_cast<std::uint32_t>(sizeof(BackendAnswerHead) + max_error) + max_message};
    case Type::close_sessions:
      return Bounds{sizeof(CloseSessionsHead),
                    sizeof(CloseSessionsHead) + max_named_sessions * SessionRefs::entry + max_reason};
    // A service's response is bounded as a whole; an error text of ours replaces it and is shorter.
    case Type::response:
      return Bounds{sizeof(ResponseHead), static_cast<std::uint32_t>(sizeof(ResponseHead)) + max_message + 4096};
    default: return {};
  }
}

}  // namespace nuropb::records
