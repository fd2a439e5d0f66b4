#include "meshd/ctl/admin_client.hpp"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/errno_text.hpp"
#include "common/text_file.hpp"
#include "common/trimmed.hpp"
#include "meshd/runtime_dir.hpp"

namespace nuropb::ctl {
namespace {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using Local = asio::local::stream_protocol;

constexpr std::uint64_t largest_answer = 64U << 20;

}  // namespace

Result<std::string> admin_key(const std::string& runtime_dir) {
  const std::string file = runtime_dir + "/" + meshd::RuntimeDir::admin_key_name;
  if (::access(file.c_str(), R_OK) != 0)
    return failure("the admin socket's key can't be read: " + errno_text(), file,
                   "run as the same user as nuropb-meshd, which creates the file at start-up");
  const auto key = read_text_file(file, 1024);
  if (!key) return tl::unexpected(key.error());
  return std::string(trimmed(*key, " \t\r\n"));
}

Result<std::string> operate(const std::string& runtime_dir, const std::string& name, const std::string& body,
                            milliseconds timeout) {
  const std::string admin_socket = runtime_dir + "/admin.sock";
  if (admin_socket.size() > 107)
    return failure("the path is too long for a Unix socket", admin_socket, "gateway.runtime_dir");
  const auto key = admin_key(runtime_dir);
  if (!key) return tl::unexpected(key.error());
  asio::io_context io;
  boost::beast::basic_stream<Local> stream(io);
  boost::beast::flat_buffer buffer;
  beast_http::request<beast_http::string_body> request{beast_http::verb::post, "/operations/" + name, 11};
  request.set(beast_http::field::host, "meshd");
  request.set(beast_http::field::authorization, "Bearer " + *key);
  request.set(beast_http::field::content_type, "application/json");
  request.body() = body;
  request.prepare_payload();
  beast_http::response_parser<beast_http::string_body> parser;
  parser.body_limit(largest_answer);
  boost::system::error_code failed;
  const char* step = "can't connect";
  stream.expires_after(timeout);
  stream.async_connect(Local::endpoint(admin_socket), [&](const boost::system::error_code& error) {
    if ((failed = error)) return;
    step = "sending the request failed";
    beast_http::async_write(stream, request, [&](const boost::system::error_code& unsent, std::size_t) {
      if ((failed = unsent)) return;
      step = "no answer";
      beast_http::async_read(stream, buffer, parser,
                             [&](const boost::system::error_code& unread, std::size_t) { failed = unread; });
    });
  });
  io.run();
  if (failed)
    return failure(std::string(step) + ": " + failed.message(), admin_socket,
                   "is nuropb-meshd running with this gateway.runtime_dir?");
  const std::string& text = parser.get().body();
  if (parser.get().result() == beast_http::status::ok) return text;
  const auto said = nlohmann::json::parse(text, nullptr, false);
  const bool told = said.is_object() && said.contains("error") && said["error"].is_string();
  return failure(told ? said["error"].get<std::string>() : "status " + std::to_string(parser.get().result_int()));
}

}  // namespace nuropb::ctl
