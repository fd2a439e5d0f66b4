#pragma once
// Error names as NuroPb peers put them on the wire (nuropb-wire.md section 1, "Error names").

#include <array>
#include <string_view>

namespace nuropb::error_name {
inline constexpr std::string_view exception = "NuropbException";
inline constexpr std::string_view timeout = "NuropbTimeoutError";
inline constexpr std::string_view transport = "NuropbTransportError";
inline constexpr std::string_view message = "NuropbMessageError";
inline constexpr std::string_view handling = "NuropbHandlingError";
inline constexpr std::string_view deprecated = "NuropbDeprecatedError";
inline constexpr std::string_view validation = "NuropbValidationError";
inline constexpr std::string_view authentication = "NuropbAuthenticationError";
inline constexpr std::string_view authorization = "NuropbAuthorizationError";
inline constexpr std::string_view not_delivered = "NuropbNotDeliveredError";
inline constexpr std::string_view call_again_reject = "NuropbCallAgainReject";
inline constexpr std::string_view call_again = "NuropbCallAgain";
/// Sent by the gateway only, never by a service.
inline constexpr std::string_view resume_failed = "NuropbResumeFailed";
inline constexpr std::string_view success = "NuropbSuccess";

inline constexpr std::array all{exception,         timeout,    transport,      message,       handling,
                                deprecated,        validation, authentication, authorization, not_delivered,
                                call_again_reject, call_again, success,        resume_failed};
}  // namespace nuropb::error_name
