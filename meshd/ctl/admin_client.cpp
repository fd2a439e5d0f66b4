#include "meshd/ctl/admin_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <functional>
#include <nlohmann/json.hpp>

namespace nuropb::ctl {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Local = asio::local::stream_protocol;

constexpr std::uint64_t largest_answer = 64U << 20;

}  // namespace

Result<std::string> operate(const std::string& admin_socket, const std::string& name, const std::string& body,
                            milliseconds timeout) {
  if (admin_socket.size() > 107)
    return failure("the path is too long for a Unix socket", admin_socket, "gateway.runtime_dir");
  asio::io_context io;
  boost::beast::basic_stream<Local> stream(io);
  boost::beast::flat_buffer buffer;
  http::request<http::string_body> request{http::verb::post, "/operations/" + name, 11};
  request.set(http::field::host, "meshd");
  request.set(http::field::content_type, "application/json");
  request.body() = body;
  request.prepare_payload();
  http::response_parser<http::string_body> parser;
  parser.body_limit(largest_answer);
  boost::system::error_code failed;
  const char* step = "can't connect";
  stream.expires_after(timeout);
  stream.async_connect(Local::endpoint(admin_socket), [&](const boost::system::error_code& error) {
    if ((failed = error)) return;
    step = "the question can't be sent";
    http::async_write(stream, request, [&](const boost::system::error_code& unsent, std::size_t) {
      if ((failed = unsent)) return;
      step = "no answer";
      http::async_read(stream, buffer, parser,
                       [&](const boost::system::error_code& unread, std::size_t) { failed = unread; });
    });
  });
  io.run();
  if (failed)
    return failure(std::string(step) + ": " + failed.message(), admin_socket,
                   "is nuropb-meshd running with this gateway.runtime_dir?");
  const std::string& text = parser.get().body();
  if (parser.get().result() == http::status::ok) return text;
  const auto said = nlohmann::json::parse(text, nullptr, false);
  const bool told = said.is_object() && said.contains("error") && said["error"].is_string();
  return failure(told ? said["error"].get<std::string>() : "status " + std::to_string(parser.get().result_int()));
}

}  // namespace nuropb::ctl
