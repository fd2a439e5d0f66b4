#include "meshd/admin_socket.hpp"

#include <openssl/crypto.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "common/http/line_stream.hpp"
#include "common/http/server.hpp"
#include "common/log.hpp"
#include "common/log_pause.hpp"
#include "shm/control.hpp"

namespace nuropb::meshd {
namespace {

// Limit of queued lines for a slow reader of a tap.
constexpr std::size_t most_waiting = 256 * 1024;
constexpr std::string_view operations = "/operations/", tap_path = "/tap";

HttpAnswer answer_of(const AdminSocket::Answer& answer) {
  return {answer.good ? 200 : 400, answer.json + "\n", {{"Content-Type", "application/json"}}};
}

/// Writes a tap's lines into an operator's connection.
class TapReader : public Taps::Reader {
 public:
  explicit TapReader(std::shared_ptr<LineStream> lines) : lines_(std::move(lines)) {}
  void write(std::string_view line) override { lines_->write(line); }
  [[nodiscard]] bool gone() const override { return lines_->gone(); }

 private:
  std::shared_ptr<LineStream> lines_;
};

HttpAnswer tap(const AdminSocket::Callbacks& callbacks, const std::string& body) {
  const auto lines = std::make_shared<LineStream>(most_waiting);
  if (const auto refused = callbacks.tap(body, std::make_shared<TapReader>(lines))) return answer_of(*refused);
  return {200, {}, {{"Content-Type", "application/x-ndjson"}}, {}, lines};
}

bool is_refused(const std::function<bool(pid_t)>& refuses, int socket) {
  ucred who{};
  socklen_t size = sizeof who;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || refuses(who.pid);
}

void answer(const AdminSocket::Callbacks& callbacks, const HttpServer::Request& asked,
            const HttpServer::Respond& respond) {
  const std::string_view path = asked.path;
  const bool operation = path.starts_with(operations), taps = callbacks.tap && path == tap_path;
  if (operation && asked.method == "POST") {
    // Operations take no query, so a query is treated as part of the name and makes it unknown.
    std::string name(path.substr(operations.size()));
    if (!asked.query.empty()) name.append("?").append(asked.query);
    return callbacks.operate(name, asked.body,
                             [respond](const AdminSocket::Answer& answer) { respond(answer_of(answer)); });
  }
  if (taps && asked.method == "POST") return respond(tap(callbacks, asked.body));
  if (auto page = answer_page(callbacks.pages, asked)) return respond(std::move(*page));
  if (operation || taps || is_page(path))
    return respond(not_there("GET /metrics, POST /operations/NAME", is_page(path) ? "GET, HEAD" : "POST"));
  respond(not_there("there is GET /metrics, /healthz, /readyz, POST /operations/NAME and POST /tap"));
}

/// Authenticates requests that need the operator's key, before any byte of the body is read.
class Gate {
 public:
  explicit Gate(std::string key) : expected_("Bearer " + std::move(key)) {}

  std::optional<HttpAnswer> operator()(const RequestHead& head) {
    if (!head.path.starts_with(operations) && head.path != tap_path) return {};
    const std::string shown = head.header("Authorization");
    if (shown.size() == expected_.size() && CRYPTO_memcmp(shown.data(), expected_.data(), shown.size()) == 0) return {};
    ++refused_;
    if (const auto left_out = pause_.due(std::chrono::steady_clock::now())) {
      log::warning("request on the admin socket refused",
                   {{"reason", shown.empty() ? "it has no key" : "its key is not the one in admin.key"},
                    {"path", std::string_view(head.path).substr(0, 100)},
                    {"left_out", *left_out}});
    }
    HttpAnswer answer = answer_of(
        {false,
         R"({"error":"not the key of the admin socket: Authorization: Bearer, and the text of the file admin.key )"
         R"(in gateway.runtime_dir"})"});
    answer.status = 401;
    return answer;
  }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  std::string expected_;
  log::Pause pause_{std::chrono::seconds(10)};
  std::uint64_t refused_ = 0;
};

HttpServer::Callbacks answering(AdminSocket::Callbacks callbacks, const std::shared_ptr<Gate>& gate) {
  const auto called = std::make_shared<const AdminSocket::Callbacks>(std::move(callbacks));
  HttpServer::Callbacks out{[gate](const RequestHead& head, HttpServer::Request&) { return (*gate)(head); },
                            [called](const HttpServer::Request& asked, const HttpServer::Respond& respond) {
                              answer(*called, asked, respond);
                            }};
  if (called->refuses) out.turns_away = [called](int socket) { return is_refused(called->refuses, socket); };
  return out;
}

}  // namespace

struct AdminSocket::Impl {
  Impl(boost::asio::io_context& io, Place place, std::size_t largest_body, Callbacks callbacks)
      : path(std::move(place.path)),
        gate(std::make_shared<Gate>(std::move(place.key))),
        server(io, operators_server("the admin socket", largest_body), answering(std::move(callbacks), gate)) {}

  std::string path;
  std::shared_ptr<Gate> gate;
  dev_t device = 0;
  ino_t inode = 0;
  HttpServer server;
};

AdminSocket::AdminSocket(boost::asio::io_context& io, Place place, std::size_t largest_body, Callbacks callbacks)
    : impl_(std::make_unique<Impl>(io, std::move(place), largest_body, std::move(callbacks))) {}

std::uint64_t AdminSocket::refused() const { return impl_->gate->refused(); }

AdminSocket::~AdminSocket() {
  const bool listened = impl_->server.listening() && there();
  impl_->server.stop();
  if (listened) ::unlink(impl_->path.c_str());
}

Result<void> AdminSocket::start() { return take(shm::listen_at(impl_->path, SOCK_STREAM, 0600)); }

Result<void> AdminSocket::take(Result<shm::UniqueFd> fd) {
  if (!fd) return failure(fd.error().what, impl_->path, "gateway.runtime_dir");
  if (const auto listens = impl_->server.listen(fd->release(), AF_UNIX); !listens)
    return failure("can't listen: " + listens.error().what, impl_->path, "gateway.runtime_dir");
  struct stat made{};
  if (::stat(impl_->path.c_str(), &made) == 0) {
    impl_->device = made.st_dev;
    impl_->inode = made.st_ino;
  }
  return {};
}

bool AdminSocket::there() const {
  struct stat now{};
  return ::stat(impl_->path.c_str(), &now) == 0 && now.st_dev == impl_->device && now.st_ino == impl_->inode;
}

}  // namespace nuropb::meshd
