#include "meshd/peers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/ids.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "common/topic.hpp"
#include "common/trimmed.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::string_view presence = "here", goodbye = "gone";
// Sent with the first presence: each recipient answers with its own.
constexpr std::string_view who_is_there = R"("who")";
constexpr int alone_factor = 15;
// Minimum interval of our presence messages, however many gateways appear.
constexpr auto least_between = milliseconds(100);

/// Reads a name from another gateway's message: short, and safe to log.
bool is_name(const json::Slice& slice, std::size_t longest, std::string& out) {
  if (slice.kind != json::Kind::string || slice.text.size() > 6 * longest + 2) return false;
  out = json::unescape(slice);
  return !out.empty() && out.size() <= longest;
}

bool is_hex(const json::Slice& slice, std::size_t digits, std::string& out) {
  return is_name(slice, digits, out) && out.size() == digits &&
         out.find_first_not_of("0123456789abcdef") == std::string::npos;
}

template <class Number>
bool is_number(const json::Slice& slice, Number& out) {
  const auto [end, error] = std::from_chars(slice.text.data(), slice.text.data() + slice.text.size(), out);
  return slice.kind == json::Kind::number && error == std::errc() && end == slice.text.data() + slice.text.size();
}

std::string topic_of(std::string service) {
  for (char& c : service) {
    if (c == '*' || c == '#') c = '_';  // valid in a service's name, but not in a topic
  }
  return std::string(Peers::reserved_word) + "." + service;
}

}  // namespace

Peers::Peers(Settings settings, const Clock& clock, Publish publish)
    : settings_(std::move(settings)), clock_(clock), publish_(std::move(publish)), topic_(topic_of(settings_.service)) {
  if (settings_.keys) seal_.emplace(settings_.keys, clock_, settings_.wall_clock);
}

bool Peers::reserved(std::string_view topic) { return topic.substr(0, topic.find('.')) == reserved_word; }

void Peers::on(std::string kind, Handler handler) { handlers_[std::move(kind)] = std::move(handler); }

bool Peers::tell(std::string_view kind, std::string_view json, std::string_view to) {
  json = trimmed(json, " \t\r\n");  // as the value will be read, because the seal is compared with that
  std::string event = R"({"from":)" + json::quoted(settings_.instance) + R"(,"to":)" +
                      (to.empty() ? "null" : json::quoted(to)) + R"(,"kind":)" + json::quoted(kind) + R"(,"message":)";
  event.append(json);
  if (seal_) {
    const PeerProof proof = seal_->seal({topic_, settings_.instance, to, kind, json});
    event.append(R"(,"run":")").append(proof.run).append(R"(","number":)").append(std::to_string(proof.number));
    event.append(R"(,"time":)").append(std::to_string(proof.time)).append(R"(,"mac":")").append(proof.mac).append("\"");
  }
  event.append("}");
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
    // If there is no room now, the next tick tries again.
    if (tell(presence, last_presence_ ? "null" : who_is_there)) {
      last_presence_ = now;
      unknown_ = false;
    }
  }
  std::vector<std::string> late;
  for (const auto& [instance, when] : heard_) {
    if (now - when > settings_.expiry) late.push_back(instance);
  }
  if (seal_) seal_->tick();
  for (const std::string& instance : late) forget(instance);
}

void Peers::heard_of(const std::string& instance) {
  if (!connected_) return;  // a message that was in flight when the connection was lost
  const SteadyTime now = clock_.now();
  if (const auto known = heard_.find(instance); known != heard_.end()) {
    known->second = now;
    return;
  }
  if (heard_.size() >= most_peers)
    return refuse("more than " + std::to_string(most_peers) + " gateways of one service");
  heard_.emplace(instance, now);
  log::info("gateway of the same service found", {{"instance", instance}});
  if ((!seal_ || settings_.accept_unsigned) && !std::exchange(warned_, true)) {
    log::warning(
        seal_ ? "gateways of one service accept messages without a MAC, too: every participant of the mesh can push "
                "to clients, close and list sessions"
              : "gateways of one service share no key: every participant of the mesh can push to clients, close and "
                "list sessions",
        {{"topic", topic_}, {"hint", seal_ ? "push.accept_unsigned = false" : "push.key_file"}});
  }
  unknown_ = true;  // it may not know us either
  tick();
  if (on_come) on_come(instance);
}

void Peers::forget(const std::string& name) {
  // The argument may be the map's key itself. NOLINTNEXTLINE(performance-unnecessary-copy-initialization)
  const std::string instance = name;
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
  std::array<json::Field, 8> fields{{{"from"}, {"to"}, {"kind"}, {"message"}, {"run"}, {"number"}, {"time"}, {"mac"}}};
  json::Slice root;
  // The body as a whole was valid, so this only locates the members.
  if (const auto problem = json::scan(event->event, fields, &root, json::Limits{json_depth}))
    return failure(problem->text());
  if (root.kind != json::Kind::object) return failure("its event is not an object");
  PeerMessage out;
  if (!is_name(fields[0].value, max_instance, out.from)) return failure("member 'from' is not an instance id");
  if (fields[1].value.kind != json::Kind::null && !is_name(fields[1].value, max_instance, out.to))
    return failure("member 'to' is neither null nor an instance id");
  if (!is_name(fields[2].value, max_kind, out.kind)) return failure("member 'kind' is not a valid kind");
  if (!fields[3].value.present()) return failure("member 'message' is missing");
  out.json = fields[3].value.text;
  if (!fields[7].value.present()) return out;
  PeerProof& proof = out.proof;
  if (!is_hex(fields[7].value, 64, proof.mac)) return failure("member 'mac' is not a MAC");
  if (!is_hex(fields[4].value, 32, proof.run)) return failure("member 'run' does not have 32 hex digits");
  if (!is_number(fields[5].value, proof.number)) return failure("member 'number' is not a number");
  if (!is_number(fields[6].value, proof.time)) return failure("member 'time' is not a time");
  return out;
}

Result<void> Peers::believe(const PeerMessage& message) {
  const bool bare = message.proof.mac.empty();
  if (!seal_ || (bare && settings_.accept_unsigned)) {
    if (bare) ++unsigned_;
    return {};
  }
  return seal_->open({topic_, message.from, message.to, message.kind, message.json}, message.proof);
}

void Peers::receive(std::string_view body) {
  const auto message = decode(body, settings_.largest, settings_.json_depth);
  if (!message) return refuse(message.error().text());
  if (message->from == settings_.instance) return;
  if (!message->to.empty() && message->to != settings_.instance) return;
  if (const auto believed = believe(*message); !believed)
    return refuse("from gateway " + message->from + ": " + believed.error().what);
  if (message->kind == goodbye) return forget(message->from);
  heard_of(message->from);
  if (message->kind == presence) {
    if (message->json != who_is_there) return;
    unknown_ = true;  // sent to a gateway that has restarted and knows no other
    return tick();
  }
  if (const auto handler = handlers_.find(message->kind); handler != handlers_.end())
    handler->second(message->from, message->json);
}

}  // namespace nuropb::meshd
