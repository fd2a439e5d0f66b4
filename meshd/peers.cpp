#include "meshd/peers.hpp"

#include <algorithm>
#include <array>

#include "common/ids.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "common/topic.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::string_view presence = "here", goodbye = "gone";
constexpr std::string_view who_is_there = R"("who")";  // told with the first presence: whoever hears it says so too
constexpr int alone_factor = 15;
constexpr auto least_between = milliseconds(100);  // our own presence, however many newcomers there are

/// A word of ours in a message of another: short, and something that can stand in a log.
bool is_name(const json::Slice& slice, std::size_t longest, std::string& out) {
  if (slice.kind != json::Kind::string || slice.text.size() > 6 * longest + 2) return false;
  out = json::unescape(slice);
  return !out.empty() && out.size() <= longest;
}

std::string topic_of(std::string service) {
  for (char& c : service) {
    if (c == '*' || c == '#') c = '_';  // legal in a service's name, but not for what has to be one topic
  }
  return std::string(Peers::reserved_word) + "." + service;
}

}  // namespace

Peers::Peers(Settings settings, const Clock& clock, Publish publish)
    : settings_(std::move(settings)),
      clock_(clock),
      publish_(std::move(publish)),
      topic_(topic_of(settings_.service)) {}

bool Peers::reserved(std::string_view topic) { return topic.substr(0, topic.find('.')) == reserved_word; }

void Peers::on(std::string kind, Handler handler) { handlers_[std::move(kind)] = std::move(handler); }

bool Peers::tell(std::string_view kind, std::string_view json, std::string_view to) {
  std::string event = R"({"from":)" + json::quoted(settings_.instance) + R"(,"to":)" +
                      (to.empty() ? "null" : json::quoted(to)) + R"(,"kind":)" + json::quoted(kind) + R"(,"message":)";
  event.append(json).append("}");
  if (event.size() + 512 > settings_.largest) return false;
  const std::string id = random_hex32();
  std::string body = encode_event({topic_, event, "{}", id, "null", "null"});
  return publish_(topic_, std::move(body), clock_.now() + settings_.lifetime);
}

std::vector<std::string> Peers::alive() const {
  std::vector<std::string> out;
  out.reserve(heard_.size());
  for (const auto& [instance, when] : heard_) out.push_back(instance);
  return out;
}

bool Peers::alive(std::string_view instance) const { return heard_.contains(instance); }

void Peers::connected() {
  connected_ = true;
  last_presence_.reset();
  tick();
}

void Peers::disconnected() {
  connected_ = false;
  while (!heard_.empty()) forget(heard_.begin()->first);
}

void Peers::leave() {
  if (connected_) tell(goodbye, "null");
  disconnected();
}

void Peers::tick() {
  if (!connected_) return;
  const SteadyTime now = clock_.now();
  const auto interval = unknown_ ? least_between : heard_.empty() ? alone_factor * settings_.period : settings_.period;
  if (!last_presence_ || now - *last_presence_ >= interval) {
    // Without room for it now, the next tick tries again.
    if (tell(presence, last_presence_ ? "null" : who_is_there)) {
      last_presence_ = now;
      unknown_ = false;
    }
  }
  std::vector<std::string> late;
  for (const auto& [instance, when] : heard_) {
    if (now - when > settings_.expiry) late.push_back(instance);
  }
  for (const std::string& instance : late) forget(instance);
}

void Peers::heard_of(const std::string& instance) {
  if (!connected_) return;  // what was on its way when the broker left
  const SteadyTime now = clock_.now();
  if (const auto known = heard_.find(instance); known != heard_.end()) {
    known->second = now;
    return;
  }
  if (heard_.size() >= most_peers)
    return refuse("more than " + std::to_string(most_peers) + " gateways of one service");
  heard_.emplace(instance, now);
  log::info("gateway of the same service found", {{"instance", instance}});
  unknown_ = true;  // it may not know us either
  tick();
  if (on_come) on_come(instance);
}

void Peers::forget(const std::string& name) {
  const std::string instance = name;  // it may be the key itself NOLINT(performance-unnecessary-copy-initialization)
  if (heard_.erase(instance) == 0) return;
  log::info("gateway of the same service gone", {{"instance", instance}});
  if (on_gone) on_gone(instance);
}

void Peers::refuse(const std::string& why) {
  ++refused_;
  if (const auto left_out = pause_.due(clock_.now())) {
    log::warning("message under the gateways' topic dropped",
                 {{"topic", topic_}, {"reason", why}, {"left_out", *left_out}});
  }
}

Result<PeerMessage> Peers::decode(std::string_view body, std::size_t largest, std::size_t json_depth) {
  if (body.size() > largest)
    return failure("has " + std::to_string(body.size()) + " bytes, more than " + std::to_string(largest));
  const auto event = decode_event(body, json::Limits{json_depth});
  if (!event) return tl::unexpected(event.error());
  std::array<json::Field, 4> fields{{{"from"}, {"to"}, {"kind"}, {"message"}}};
  json::Slice root;
  // The body was valid as a whole, so this only finds the members.
  if (const auto problem = json::scan(event->event, fields, &root, json::Limits{json_depth}))
    return failure(problem->text());
  if (root.kind != json::Kind::object) return failure("its event is no object");
  PeerMessage out;
  if (!is_name(fields[0].value, max_instance, out.from)) return failure("member 'from' is no instance id");
  if (fields[1].value.kind != json::Kind::null && !is_name(fields[1].value, max_instance, out.to))
    return failure("member 'to' is neither null nor an instance id");
  if (!is_name(fields[2].value, max_kind, out.kind)) return failure("member 'kind' is no kind");
  if (!fields[3].value.present()) return failure("there is no member 'message'");
  out.json = fields[3].value.text;
  return out;
}

void Peers::receive(std::string_view body) {
  const auto message = decode(body, settings_.largest, settings_.json_depth);
  if (!message) return refuse(message.error().text());
  if (message->from == settings_.instance) return;
  if (!message->to.empty() && message->to != settings_.instance) return;
  if (message->kind == goodbye) return forget(message->from);
  heard_of(message->from);
  if (message->kind == presence) {
    if (message->json != who_is_there) return;
    unknown_ = true;  // to one that was here before and knows nobody any more
    return tick();
  }
  if (const auto handler = handlers_.find(message->kind); handler != handlers_.end())
    handler->second(message->from, message->json);
}

}  // namespace nuropb::meshd
