#include "common/http/answer.hpp"

#include "common/error_names.hpp"
#include "common/messages.hpp"

namespace nuropb {

const char* reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 424: return "Failed Dependency";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Refused";
  }
}

HttpAnswer refusal(int status, std::string_view error, std::string_view description) {
  HttpAnswer out{status, error_json(error, description) + "\n", {{"Content-Type", "application/json"}}};
  if (status == 503) out.headers.emplace_back("Retry-After", "1");
  return out;
}

HttpAnswer come_again(std::string_view description) { return refusal(503, error_name::transport, description); }

std::string head_on_the_wire(const HttpAnswer& answer, std::string_view connection) {
  std::string out;
  out.reserve(512);
  out.append("HTTP/1.1 ").append(std::to_string(answer.status)).append(" ").append(reason_phrase(answer.status));
  for (const auto& [name, value] : answer.headers) out.append("\r\n").append(name).append(": ").append(value);
  // A 204 has no body, and must not have a length (RFC 9110, section 8.6).
  if (answer.status != 204) out.append("\r\nContent-Length: ").append(std::to_string(answer.body.size()));
  if (!connection.empty()) out.append("\r\nConnection: ").append(connection);
  return out += "\r\n\r\n";
}

std::string on_the_wire(const HttpAnswer& answer, bool bodiless) {
  std::string out = head_on_the_wire(answer, "close");
  return bodiless ? out : out + answer.body;
}

}  // namespace nuropb
