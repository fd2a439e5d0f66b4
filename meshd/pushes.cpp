#include "meshd/pushes.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "common/json/scan.hpp"
#include "meshd/pushes_operation.hpp"

namespace nuropb::meshd {
namespace {

using nlohmann::json;

// Operation numbers travel in JSON, so they have 52 bits; the upper ones are the listener kind.
constexpr unsigned op_number_bits = 48;
constexpr std::uint64_t op_bits = (1ULL << op_number_bits) - 1;
// The maximum that another gateway may claim to have.
constexpr std::uint64_t most_connections = 1ULL << 32;

bool may_close_with(std::uint16_t code) { return code == 1000 || code == 1001 || (code >= 4000 && code <= 4999); }

/// A number that an earlier run of this gateway has very probably not used, so that late answers match nothing.
std::uint64_t some_number() {
  std::uint64_t out = 0;
  random_bytes(&out, sizeof out);
  return (out & (op_bits >> 1)) | 1;
}

std::string target_json(const Target& target) {
  switch (target.kind) {
    case Target::Kind::session: return R"({"session":")" + target.session.hex() + "\"}";
    case Target::Kind::all: return R"({"all":true})";
    case Target::Kind::users: break;
  }
  std::string out = R"({"users":[)";
  for (const std::string& user : target.user_ids) {
    if (out.back() != '[') out += ',';
    nuropb::json::append_quoted(out, user);
  }
  return out + "]}";
}

/// Parses a target from another gateway; empty if it is invalid.
std::optional<Target> read_target(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object() || object.size() != 1) return {};
  if (member_of(object, "all", false)) return Target::everyone();
  if (const auto id = SessionId::from_hex(member_of(object, "session", std::string()))) return Target::one(*id);
  const auto users = object.find("users");
  if (users == object.end() || !users->is_array() || users->size() > Pushes::max_users) return {};
  std::vector<std::string> ids;
  for (const json& user : *users) {
    if (!user.is_string()) return {};
    ids.push_back(user.get<std::string>());
  }
  return Target::users(std::move(ids));
}

}  // namespace

std::optional<HandlerKind> Pushes::kind_of(std::uint64_t op) {
  const std::uint64_t kind = op >> op_number_bits;
  return kind < handler_kinds ? std::optional(static_cast<HandlerKind>(kind)) : std::nullopt;
}

Pushes::Pushes(Settings settings, const Clock& clock, Edges& edges, SessionIndex& sessions, Peers& peers)
    : settings_(std::move(settings)),
      clock_(clock),
      edges_(edges),
      sessions_(sessions),
      peers_(peers),
      next_op_(some_number()) {
  peers_.on("operation", [this](const std::string& from, std::string_view text) { on_operation(from, text); });
  peers_.on("counted", [this](const std::string& from, std::string_view text) { on_counted(from, text); });
  peers_.on("list", [this](const std::string& from, std::string_view text) { on_list(from, text); });
  peers_.on("listed", [this](const std::string& from, std::string_view text) { on_listed(from, text); });
}

Pushes::~Pushes() = default;

Result<void> Pushes::check(const Target& target, const What& what) const {
  if (target.kind == Target::Kind::users) {
    if (target.user_ids.empty()) return failure("no user is given");
    if (target.user_ids.size() > max_users)
      return failure("more than " + std::to_string(max_users) + " users are given");
    std::size_t bytes = 0;
    for (const std::string& user : target.user_ids) {
      if (user.empty()) return failure("a user's id is empty");
      bytes += user.size();
    }
    if (bytes > max_user_bytes)
      return failure("the users' ids have more than " + std::to_string(max_user_bytes) + " bytes");
  }
  if (what.verb == Verb::send) {
    if (what.text.size() > settings_.max_message)
      return failure("the message has " + std::to_string(what.text.size()) +
                     " bytes, more than limits.message_bytes (" + std::to_string(settings_.max_message) + ")");
    if (const auto problem = nuropb::json::validate(what.text, nullptr, {settings_.json_depth}))
      return failure("the message is not JSON: " + problem->text());
  }
  if (what.verb == Verb::close) {
    if (!may_close_with(what.code))
      return failure("close code " + std::to_string(what.code) + " is not one of 1000, 1001, 4000 to 4999");
    if (what.reason.size() > records::max_reason)
      return failure("the reason has more than " + std::to_string(records::max_reason) + " bytes");
    // A control frame's reason must be UTF-8 (RFC 6455 section 5.5.1); quoting replaces invalid UTF-8.
    if (nuropb::json::quoted(what.reason).find("\xEF\xBF\xBD") != std::string::npos)
      return failure("the reason is not UTF-8");
  }
  if (operations_.size() + questions_.size() >= max_operations)
    return failure("more than " + std::to_string(max_operations) + " operations are in progress");
  return {};
}

Result<void> Pushes::send(const Target& target, std::string_view message, Done done, bool whole_frame) {
  std::function<void(const Operation&)> finish;
  if (done) finish = [done = std::move(done)](const Operation& operation) { done(operation.outcome); };
  const auto begun =
      begin(target, {.verb = Verb::send, .text = message, .whole_frame = whole_frame}, std::move(finish));
  if (begun) ++counters_.sends;
  return begun;
}

Result<void> Pushes::close(const Target& target, std::uint16_t code, std::string_view reason, Done done) {
  std::function<void(const Operation&)> finish;
  if (done) finish = [done = std::move(done)](const Operation& operation) { done(operation.outcome); };
  const auto begun = begin(target, {.verb = Verb::close, .code = code, .reason = reason}, std::move(finish));
  if (begun) ++counters_.closes;
  return begun;
}

Result<void> Pushes::count(std::function<void(const SessionCount&)> done) {
  return begin(Target::everyone(), {.verb = Verb::count}, [done = std::move(done)](const Operation& operation) {
    done({operation.outcome.connections, operation.users, operation.gateways, operation.outcome.unanswered});
  });
}

std::uint64_t Pushes::add(std::unique_ptr<Operation> operation) {
  const std::uint64_t op = next_op_ | static_cast<std::uint64_t>(settings_.handler) << op_number_bits;
  next_op_ = (next_op_ + 1) & op_bits;
  ++given_;
  if (next_op_ == 0) next_op_ = 1;
  operations_[op] = std::move(operation);
  edges_.tick_soon();
  return op;
}

Result<void> Pushes::begin(const Target& target, const What& what, std::function<void(const Operation&)> finish) {
  if (auto wrong = check(target, what); !wrong) return wrong;
  auto made = std::make_unique<Operation>();
  made->deadline = clock_.now() + settings_.timeout;
  made->finish = std::move(finish);
  const bool counted = static_cast<bool>(made->finish);
  Operation& operation = *made;
  const std::uint64_t op = add(std::move(made));
  to_edges(target, what, counted ? op : 0, &operation);
  // A session exists once, so if it is here no other gateway is asked.
  if (target.kind != Target::Kind::session || !sessions_.find(target.session))
    to_peers(target, what, counted ? op : 0, operation);
  if (counted) {
    look_whether_done(op);
  } else {
    operations_.erase(op);
  }
  return {};
}

void Pushes::to_edges(const Target& target, const What& what, std::uint64_t op, Operation* operation) {
  if (what.verb == Verb::count) {
    operation->outcome.connections += sessions_.sessions();
    operation->users += sessions_.users();
    return;
  }
  if (target.kind == Target::Kind::all) {
    edges_.each([&](WorkerId worker, SessionTable&) { to_edge(worker, what, op, true, {}, operation); });
    return;
  }
  std::map<WorkerId, std::string> refs;
  const auto name = [&](const Session& session) {
    if (session.mailbox) records::SessionRefs::append(refs[numbered_worker], {session.mailbox->id(), 0});
    else records::SessionRefs::append(refs[session.indexed.worker], {session.indexed.slot, session.serial});
  };
  if (target.kind == Target::Kind::session) {
    if (const Session* const session = sessions_.find(target.session)) name(*session);
  } else {
    for (const std::string& user : std::set<std::string>(target.user_ids.begin(), target.user_ids.end()))
      sessions_.each_of(user, name);
  }
  constexpr std::size_t most = records::max_named_sessions * records::SessionRefs::entry;
  for (const auto& [worker, bytes] : refs) {
    for (std::size_t at = 0; at < bytes.size(); at += most)
      to_edge(worker, what, op, false, std::string_view(bytes).substr(at, most), operation);
  }
}

void Pushes::to_edge(WorkerId worker, const What& what, std::uint64_t op, bool all, std::string_view refs,
                     Operation* operation) {
  std::string payload;
  if (what.verb == Verb::close)
    records::encode(
        records::CloseSessions{op, all, what.code, records::SessionRefs(refs), what.reason, settings_.handler},
        payload);
  else
    records::encode(records::Push{op, all, what.whole_frame, records::SessionRefs(refs), what.text, settings_.handler},
                    payload);
  if (op != 0 && operation) {
    Operation::Edge& edge = operation->edges[worker];
    ++edge.records;
    // Messages to resumable sessions are counted here, and they may be on all edges.
    edge.most += worker == numbered_worker ? UINT32_MAX
                 : all                     ? settings_.max_sessions
                                           : refs.size() / records::SessionRefs::entry;
  }
  edges_.send(worker, what.verb == Verb::close ? records::Type::close_sessions : records::Type::push,
              std::move(payload));
}

void Pushes::send_to(const std::vector<Place>& places, std::string_view frame, bool whole_frame) {
  const What what{.verb = Verb::send, .text = frame, .whole_frame = whole_frame};
  std::map<WorkerId, std::string> refs;
  for (const Place& place : places) records::SessionRefs::append(refs[place.worker], place.session);
  constexpr std::size_t most = records::max_named_sessions * records::SessionRefs::entry;
  for (const auto& [worker, bytes] : refs) {
    for (std::size_t at = 0; at < bytes.size(); at += most)
      to_edge(worker, what, 0, false, std::string_view(bytes).substr(at, most), nullptr);
  }
}

void Pushes::to_peers(const Target& target, const What& what, std::uint64_t op, Operation& operation) {
  const auto alive = peers_.alive();
  if (alive.empty()) return;
  std::string text = R"({"op":)" + std::to_string(op) + R"(,"wait_ms":)" +
                     std::to_string(settings_.timeout.count() * 3 / 4) + R"(,"target":)" + target_json(target);
  switch (what.verb) {
    case Verb::send:
      text +=
          std::string(R"(,"verb":"send","whole_frame":)") + (what.whole_frame ? "true" : "false") + R"(,"message":)";
      text.append(what.text);
      break;
    case Verb::close:
      text += R"(,"verb":"close","code":)" + std::to_string(what.code) + R"(,"reason":)" +
              nuropb::json::quoted(what.reason);
      break;
    case Verb::count: text += R"(,"verb":"count")"; break;
  }
  const bool told = peers_.tell("operation", text + "}");
  if (told) operation.peers.insert(alive.begin(), alive.end());
  else operation.outcome.unanswered = alive;
}

void Pushes::look_whether_done(std::uint64_t op) {
  const auto found = operations_.find(op);
  if (found != operations_.end() && found->second->edges.empty() && found->second->peers.empty()) end(op);
}

void Pushes::end(std::uint64_t op) {
  const auto node = operations_.extract(op);
  if (node.empty()) return;
  Operation& operation = *node.mapped();
  operation.outcome.silent_edges += static_cast<std::uint32_t>(operation.edges.size());
  operation.outcome.unanswered.insert(operation.outcome.unanswered.end(), operation.peers.begin(),
                                      operation.peers.end());
  if (!operation.edges.empty() || !operation.peers.empty()) ++counters_.timeouts;
  if (operation.finish) operation.finish(operation);
}

bool Pushes::on_pushed(WorkerId worker, const records::Pushed& record) {
  const auto found = operations_.find(record.op);
  if (found == operations_.end()) {
    // The operation has timed out, unless its number was never used.
    const std::uint64_t age = (next_op_ - (record.op & op_bits)) & op_bits;
    return kind_of(record.op) == settings_.handler && age > 0 && age <= given_;
  }
  Operation& operation = *found->second;
  const auto edge = operation.edges.find(worker);
  if (edge == operation.edges.end()) return false;
  edge->second.taken += record.taken;
  if (edge->second.taken > edge->second.most) return false;
  operation.outcome.connections += record.taken;
  if (--edge->second.records == 0) {
    operation.edges.erase(edge);
    look_whether_done(record.op);
  }
  return true;
}

void Pushes::on_worker_gone(WorkerId worker) {
  std::vector<std::uint64_t> concerned;
  for (auto& [op, operation] : operations_) {
    if (operation->edges.erase(worker) == 0) continue;
    ++operation->outcome.silent_edges;
    concerned.push_back(op);
  }
  for (const std::uint64_t op : concerned) look_whether_done(op);
}

void Pushes::on_peer_gone(const std::string& instance) {
  std::vector<std::uint64_t> concerned, asked;
  for (auto& [op, operation] : operations_) {
    if (operation->peers.erase(instance) == 0) continue;
    operation->outcome.unanswered.push_back(instance);
    concerned.push_back(op);
  }
  for (const std::uint64_t op : concerned) look_whether_done(op);
  for (const auto& [op, question] : questions_) {
    if (question->peer == instance) asked.push_back(op);
  }
  for (const std::uint64_t op : asked) end_question(op, failure("gateway " + instance + " is gone"));
}

void Pushes::tick() {
  const SteadyTime now = clock_.now();
  std::vector<std::uint64_t> late, asked;
  for (const auto& [op, operation] : operations_) {
    if (operation->deadline <= now) late.push_back(op);
  }
  for (const std::uint64_t op : late) end(op);
  for (const auto& [op, question] : questions_) {
    if (question->deadline <= now) asked.push_back(op);
  }
  for (const std::uint64_t op : asked) {
    // Handling one timeout may have ended another question.
    if (const auto question = questions_.find(op); question != questions_.end())
      end_question(op, failure("gateway " + question->second->peer + " does not answer"));
  }
}

/// Another gateway's operation: the same for our own edges, and the answer.
void Pushes::on_operation(const std::string& from, std::string_view text) {
  using nuropb::json::Kind;
  std::array<nuropb::json::Field, 8> fields{
      {{"op"}, {"wait_ms"}, {"target"}, {"verb"}, {"whole_frame"}, {"message"}, {"code"}, {"reason"}}};
  if (nuropb::json::scan(text, fields, nullptr, {settings_.json_depth + 1}))
    return peers_.refuse_message(from, "an operation that is not an object");
  const auto& [op_field, wait, target_field, verb, whole, message, code, reason] = fields;
  const auto op = nuropb::json::as_unsigned(op_field.value);
  const auto wait_ms = nuropb::json::as_unsigned(wait.value);
  const auto target = target_field.value.present() ? read_target(target_field.value.text) : std::nullopt;
  const std::string word = verb.value.kind == Kind::string ? nuropb::json::unescape(verb.value) : std::string();
  if (!op || !wait_ms || !target || (word != "send" && word != "close" && word != "count"))
    return peers_.refuse_message(from, "an operation that can't be read");
  const std::string because = reason.value.kind == Kind::string ? nuropb::json::unescape(reason.value) : std::string();
  What what{.verb = word == "send"    ? Verb::send
                    : word == "close" ? Verb::close
                                      : Verb::count,
            .text = message.value.text,
            .whole_frame = whole.value.text == "true",
            .reason = because};
  if (what.verb == Verb::close)
    what.code =
        static_cast<std::uint16_t>(std::min<std::uint64_t>(nuropb::json::as_unsigned(code.value).value_or(0), 0xffff));
  if (const auto wrong = check(*target, what); !wrong) return peers_.refuse_message(from, wrong.error().text());
  ++counters_.for_peers;
  if (*op == 0) return to_edges(*target, what, 0, nullptr);

  auto made = std::make_unique<Operation>();
  made->deadline = clock_.now() + std::min(settings_.timeout, milliseconds(std::min<std::uint64_t>(*wait_ms, 60'000)));
  made->finish = [this, from, theirs = *op](const Operation& operation) {
    peers_.tell("counted",
                R"({"op":)" + std::to_string(theirs) + R"(,"connections":)" +
                    std::to_string(operation.outcome.connections) + R"(,"users":)" + std::to_string(operation.users) +
                    R"(,"silent_edges":)" + std::to_string(operation.outcome.silent_edges) + "}",
                from);
  };
  Operation& operation = *made;
  const std::uint64_t ours = add(std::move(made));
  to_edges(*target, what, ours, &operation);
  look_whether_done(ours);
}

void Pushes::on_counted(const std::string& from, std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return peers_.refuse_message(from, "a count that is not an object");
  const auto found = operations_.find(member_of<std::uint64_t>(object, "op", 0));
  if (found == operations_.end() || found->second->peers.erase(from) == 0) return;  // it has timed out
  Operation& operation = *found->second;
  operation.outcome.connections += std::min(member_of<std::uint64_t>(object, "connections", 0), most_connections);
  operation.users += std::min(member_of<std::uint64_t>(object, "users", 0), most_connections);
  operation.outcome.silent_edges +=
      static_cast<std::uint32_t>(std::min<std::uint64_t>(member_of<std::uint64_t>(object, "silent_edges", 0), 0xff));
  ++operation.gateways;
  look_whether_done(found->first);
}

}  // namespace nuropb::meshd
