#include "common/http/answer.hpp"

#include "common/error_names.hpp"
#include "common/messages.hpp"

namespace nuropb {
namespace {

const char* phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Refused";
  }
}

}  // namespace

HttpAnswer refusal(int status, std::string_view error, std::string_view description) {
  HttpAnswer out{status, error_json(error, description) + "\n", {{"Content-Type", "application/json"}}};
  if (status == 503) out.headers.emplace_back("Retry-After", "1");
  return out;
}

HttpAnswer come_again(std::string_view description) { return refusal(503, error_name::transport, description); }

std::string on_the_wire(const HttpAnswer& answer, bool bodiless) {
  std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " " + phrase(answer.status) + "\r\n";
  for (const auto& [name, value] : answer.headers) out += name + ": " + value + "\r\n";
  out += "Content-Length: " + std::to_string(answer.body.size()) + "\r\nConnection: close\r\n\r\n";
  return bodiless ? out : out + answer.body;
}

}  // namespace nuropb
