#include "tests/unit/meshd/meshd_fixture.hpp"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <utility>

#include "meshd/runtime_dir.hpp"
#include "meshd/sealed_tickets.hpp"

namespace nuropb::meshd {
namespace {

class KeptLines final : public log::Sink {
 public:
  explicit KeptLines(std::shared_ptr<std::vector<std::string>> lines) : lines_(std::move(lines)) {}
  int put(const std::string& line) override {
    lines_->push_back(line);
    return 0;
  }
  void reopen() override {}
  std::uint64_t lost() override { return 0; }

 private:
  std::shared_ptr<std::vector<std::string>> lines_;
};

}  // namespace

Verdict NameAuthorizer::verdict_on(const std::string& token) const {
  if (const auto found = verdicts.find(token); found != verdicts.end()) return found->second;
  Identity identity;
  identity.user_id = token;
  identity.token = token;
  return Verdict::accept(std::move(identity));
}

std::string Answered::name() const {
  const auto parsed = nlohmann::json::parse(error);
  return parsed.is_null() ? std::string() : parsed.at("error").get<std::string>();
}

void Client::request(std::uint64_t sequence, std::string_view params, std::string_view method, std::string_view service,
                     records::Type type) {
  const std::string trace_id = "\"t" + std::to_string(sequence) + "\"";
  edge.write(type, records::Request{slot, serial, test_.deadline_ms(), service, method, trace_id, params, {}},
             sequence);
}

void Client::event(std::uint64_t sequence, std::string_view topic, std::string_view event, std::string_view target) {
  edge.write(records::Type::event, records::Event{slot, serial, test_.deadline_ms(), topic, "\"t\"", event, target, {}},
             sequence);
}

void Client::subscribe(std::uint64_t sequence, std::string_view topic, records::Type type) {
  edge.write(type, records::Subscription{slot, serial, topic, test_.deadline_ms(), "\"t\"", {}}, sequence);
}

void Client::authorize(std::uint64_t sequence, std::string_view fresh) {
  edge.write(records::Type::authorize, records::Authorize{slot, serial, fresh, test_.deadline_ms(), "\"t\""}, sequence);
}

Answered Client::answer(std::uint64_t sequence) {
  const auto got = edge.next<records::Response>(records::Type::response);
  if (got.header.sequence != sequence || got->session != slot)
    throw std::runtime_error("an answer to " + std::to_string(got.header.sequence) + " of session " +
                             std::to_string(got->session) + " came: " + std::string(got->result) +
                             std::string(got->error));
  return {std::string(got->result), std::string(got->error), got->outcome};
}

std::uint16_t Client::ended() {
  const auto got = edge.next<records::EndSession>(records::Type::end_session);
  EXPECT_EQ(got->session, slot);
  EXPECT_EQ(got->serial, serial);
  return got->code;
}

MeshdTest::MeshdTest() {
  // Not TempDir(), whose path may be too long for a socket.
  std::string name = "/tmp/nuropb-meshd-XXXXXX";
  if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
  folder_ = name;
  ::signal(SIGPIPE, SIG_IGN);
  config_.gateway.runtime_dir = folder_;
  config_.gateway.mesh = MeshKind::loopback;
  config_.rings.request_bytes = config_.rings.return_bytes = 1U << 16;
  config_.limits.message_bytes = 16 * 1024;
  config_.limits.connections = 16;
  config_.request.encryption = false;
}

MeshdTest::~MeshdTest() {
  loop_.reset();
  edges_.clear();
  (void)log::configure({"test", log::Level::error, log::Format::text, ""});
  if (HasFailure())
    for (const std::string& line : *log_) std::cerr << line;
  std::filesystem::remove_all(folder_);
}

void MeshdTest::start(bool with_broker) {
  log::configure({"meshd", log_level_, log::Format::text, ""}, std::make_unique<KeptLines>(log_));
  const auto runtime = RuntimeDir::open(folder_);
  if (!runtime) throw std::runtime_error(runtime.error().text());
  const auto secret = runtime->secret();
  auto policy = config_.auth.policy_file.empty() ? Result<Policy>(Policy()) : Policy::load(config_.auth.policy_file);
  auto snorky = snorky::Hub::parts(config_);
  if (!snorky) throw std::runtime_error(snorky.error().text());
  const auto key = runtime->admin_key();
  if (!key) throw std::runtime_error(key.error().text());
  admin_key_ = *key;
  if (!secret || !policy) throw std::runtime_error(!secret ? secret.error().text() : policy.error().text());
  SocketMaker sockets;
  if (makes_sockets_) {
    auto made =
        SocketMaker::start({{runtime->control_socket(), SOCK_SEQPACKET}, {runtime->admin_socket(), SOCK_STREAM}});
    if (!made) throw std::runtime_error(made.error().text());
    sockets = std::move(*made);
  }
  meshes_.clear();
  const std::string instance = "0123456789abcdef0123456789abcdef";
  loop_ =
      std::make_unique<Meshd>(Meshd::Parts{config_,
                                           runtime->control_socket(),
                                           runtime->admin_socket(),
                                           admin_key_,
                                           instance,
                                           SealedTickets(*secret),
                                           mesh_authorizer_ ? static_cast<Authorizer&>(*mesh_authorizer_) : authorizer_,
                                           mesh_authorizer_ ? &*mesh_authorizer_ : nullptr,
                                           std::move(*policy),
                                           nullptr,
                                           mesh::RequestKeys(*secret),
                                           {},
                                           std::move(*snorky),
                                           {},
                                           nullptr,
                                           {*runtime, {*secret, {}, admin_key_, {}}},
                                           std::move(sockets),
                                           clock_,
                                           [this](mesh::Carrier::Callbacks callbacks) {
                                             auto made = std::make_unique<SteppedLoopback>(
                                                 meshes_.empty() ? nullptr : meshes_.front(), std::move(callbacks));
                                             meshes_.push_back(made.get());
                                             return made;
                                           }});
  if (const auto started = loop_->start(); !started) throw std::runtime_error(started.error().text());
  if (with_broker) loop_->connect_broker();
  settle();
}

int MeshdTest::stop() {
  ::raise(SIGTERM);
  return loop_->run();
}

void MeshdTest::settle() {
  settle_with([] {});
}

void MeshdTest::settle_with(const std::function<void()>& look) {
  // A loop that never becomes idle is an error of meshd; it must not hang the test.
  constexpr int most = 100'000;
  for (int steps = 0; loop_ && loop_->step(); ++steps) {
    look();
    if (steps >= most) throw std::runtime_error("meshd does not come to rest");
  }
}

void MeshdTest::pass(std::chrono::steady_clock::duration time) {
  settle();
  const SteadyTime until = clock_.now() + time;
  for (SteadyTime next = loop_->timers().next(); next <= until; next = loop_->timers().next()) {
    clock_.advance(std::max(next - clock_.now(), std::chrono::steady_clock::duration::zero()));
    for (FakeEdge& edge : edges_) edge.beat();
    loop_->timers().run_due();
    settle();
  }
  clock_.advance(until - clock_.now());
}

FakeEdge& MeshdTest::attach(const std::string& ticket, std::uint32_t abi) {
  return edges_.emplace_back([this] { settle(); }, folder_ + "/meshd.sock", ticket, abi);
}

Client MeshdTest::present(FakeEdge& edge, std::uint32_t slot, std::string_view credential, records::CredentialKind kind,
                          HandlerKind handler, std::optional<SessionId> id) {
  Client client(*this, edge, slot, ++last_serial_, id.value_or(SessionId::random()));
  edge.write(records::Type::open_session,
             records::OpenSession{slot, client.serial, client.id, kind, credential, "203.0.113.9", handler});
  return client;
}

Client MeshdTest::open(FakeEdge& edge, std::uint32_t slot, std::string_view user, HandlerKind handler) {
  Client client = present(edge, slot, user, records::CredentialKind::header, handler);
  accepted(client);
  return client;
}

void MeshdTest::accepted(Client& client) {
  const auto got = client.edge.next<records::SessionAccepted>(records::Type::session_accepted);
  EXPECT_EQ(got->session, client.slot);
  EXPECT_EQ(got->serial, client.serial);
  client.user = got->user_id;
  client.ticket = got->ticket;
  if (!got->resume.empty()) client.token = got->resume;
}

std::uint16_t MeshdTest::refused(Client& client) {
  const auto got = client.edge.next<records::SessionRefused>(records::Type::session_refused);
  EXPECT_EQ(got->session, client.slot);
  EXPECT_EQ(got->serial, client.serial);
  return got->code;
}

void MeshdTest::write_policy(const std::string& toml) {
  config_.auth.policy_file = folder_ + "/policy.toml";
  std::ofstream(config_.auth.policy_file) << toml;
}

shm::UniqueFd MeshdTest::ask_admin(const std::string& path, const std::string& body) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string file = folder_ + "/admin.sock";
  std::memcpy(address.sun_path, file.c_str(), file.size());
  shm::UniqueFd out(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::connect(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("no admin socket");
  const std::string request =
      (body.empty() ? "GET " : "POST ") + path + " HTTP/1.1\r\nHost: meshd\r\nAuthorization: Bearer " + admin_key_ +
      "\r\n" + (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + body;
  if (::send(out.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    throw std::runtime_error("the admin socket takes no request");
  return out;
}

std::string MeshdTest::heard(const shm::UniqueFd& connection) {
  std::string out;
  for (;;) {
    settle();
    std::array<char, 4096> part{};
    const ssize_t size = ::recv(connection.get(), part.data(), part.size(), 0);
    if (size <= 0) return out;
    out.append(part.data(), static_cast<std::size_t>(size));
  }
}

std::pair<int, std::string> MeshdTest::admin(const std::string& path, const std::string& body) {
  const auto connection = ask_admin(path, body);
  const std::string text = heard(connection);
  const auto head = text.find("\r\n\r\n");
  if (head == std::string::npos) throw std::runtime_error("no answer at the admin socket: " + text);
  return {std::stoi(text.substr(text.find(' ') + 1)), text.substr(head + 4)};
}

nlohmann::json MeshdTest::operate(const std::string& name, const nlohmann::json& params) {
  return nlohmann::json::parse(admin("/operations/" + name, params.dump()).second);
}

double MeshdTest::metric(const std::string& name) {
  const std::string page = "\n" + admin("/metrics").second;
  const auto at = page.find("\n" + name + " ");
  if (at == std::string::npos) throw std::runtime_error("no metric " + name);
  return std::stod(page.substr(at + name.size() + 2));
}

bool MeshdTest::eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 60'000; ++i) {
    settle();
    if (condition()) return true;
    ::poll(nullptr, 0, 1);
  }
  return false;
}

bool MeshdTest::logged(std::string_view text) const {
  return std::any_of(log_->begin(), log_->end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

}  // namespace nuropb::meshd
