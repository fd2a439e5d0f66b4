#pragma once
// The gateways of one service, on one broker or cluster of brokers, and how they talk to each other: events of the mesh
// under a topic that is reserved for them.
//
//   tell(kind, json) ──► "nuropb-gateway.<service>" on the events exchange ──► every other gateway's on(kind)
//
// Small presence messages say who is there: one when a gateway comes, one from the others when they hear of it, from then
// on one every `period`; who was not heard of for `expiry` is gone. A gateway that is alone is almost silent. Delivery
// is what the broker makes of events: at most once, in order from one gateway to another. What a broker that was away
// could not deliver within `lifetime` is not delivered any more.
//
// Everything that arrives is untrusted, since every participant of the mesh may publish it: it is bounded and validated, and a
// bad message is counted and dropped. With keys (push.key_file) a message without a good MAC is a bad one; without keys
// any participant can play a gateway, of which the log warns once another gateway is heard of. Messages of our own are ignored. Consumers can neither publish to
// reserved topics nor subscribe to them, whatever the policy, and what a pattern like `#` brings of them is not passed
// on (routing/event_router.cpp).
//
// Owner thread: the ring loop. Nothing here waits.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "common/log_pause.hpp"
#include "common/result.hpp"
#include "meshd/peer_seal.hpp"

namespace nuropb::meshd {

/// One message between gateways, as it stands in an event's `event`. Views point into the decoded text.
struct PeerMessage {
  std::string from;  ///< instance id of the gateway that says it
  std::string to;    ///< instance id of the one it is for; empty: all
  std::string kind;
  std::string_view json;  ///< raw JSON, whatever `kind` says that it is
  PeerProof proof;
};

class Peers {
 public:
  static constexpr std::string_view reserved_word = "nuropb-gateway";  ///< the first word of every reserved topic
  static constexpr std::size_t max_instance = 128;                     ///< bytes of an instance id
  static constexpr std::size_t max_kind = 64;
  static constexpr std::size_t most_peers = 1024;  ///< whose presence is remembered

  struct Settings {
    std::string service;             ///< gateway.service
    std::string instance;            ///< ours
    std::size_t largest = 4U << 20;  ///< bytes of one message
    std::size_t json_depth = 256;
    milliseconds period{2000};               ///< push.presence_ms
    milliseconds expiry{7000};               ///< three and a half periods
    milliseconds lifetime{5000};             ///< of a message that the broker could not deliver yet
    std::shared_ptr<const PeerKeys> keys{};  ///< nothing: every message is believed
    bool accept_unsigned = false;            ///< with keys: those without a MAC are believed as well
    WallClock wall_clock = unix_now;
  };
  /// Hands an event to the transport: topic, body, when it is worth nothing any more. False: no room for it now.
  using Publish = std::function<bool(const std::string& topic, std::string body, SteadyTime deadline)>;
  /// `from` is the instance id of the gateway that told it, `json` what it told; both are valid during the call.
  using Handler = std::function<void(const std::string& from, std::string_view json)>;

  Peers(Settings settings, const Clock& clock, Publish publish);

  /// The topic that our transport has to bind: ours, and nothing else.
  [[nodiscard]] const std::string& topic() const { return topic_; }
  /// True for every topic, and every pattern that names such topics by their first word, that is not for consumers.
  [[nodiscard]] static bool reserved(std::string_view topic);

  /// One handler for a kind; set before the first message can come.
  void on(std::string kind, Handler handler);
  /// To all other gateways, or to one of them. `json` is valid JSON; a member of a kind that nobody knows is ignored there.
  /// False if it could not be handed to the broker: too large, no broker, no room. Nobody hears of it then.
  bool tell(std::string_view kind, std::string_view json, std::string_view to = {});

  /// Instance ids of the gateways that live, ours not among them, in order. Empty while the broker is away.
  [[nodiscard]] std::vector<std::string> alive() const;
  [[nodiscard]] bool alive(std::string_view instance) const;
  /// Told when a gateway was not heard of for too long, or said goodbye.
  std::function<void(const std::string& instance)> on_gone;
  /// Told when a gateway is heard of that was not alive.
  std::function<void(const std::string& instance)> on_come;

  /// The broker has our topic: presence is told from now on. It has lost us: nobody lives, as far as we know.
  void connected();
  void disconnected();
  /// An event of the reserved topic, as it came.
  void receive(std::string_view body);
  /// About once a second: presence, and who is gone.
  void tick();
  /// Goodbye: the others need not wait for our expiry.
  void leave();

  [[nodiscard]] std::uint64_t refused() const { return refused_; }  ///< messages that were none of a gateway's
  /// Messages that were believed without a MAC.
  [[nodiscard]] std::uint64_t unsigned_ones() const { return unsigned_; }
  /// For handlers: counted and told of like a message that can't be read.
  void refuse_message(const std::string& from, const std::string& why) { refuse("from gateway " + from + ": " + why); }

  /// Pure; what receive() does first with a body. An error says what is wrong.
  static Result<PeerMessage> decode(std::string_view body, std::size_t largest, std::size_t json_depth);

 private:
  void heard_of(const std::string& instance);
  void forget(const std::string& instance);
  void refuse(const std::string& why);
  Result<void> believe(const PeerMessage& message);

  Settings settings_;
  const Clock& clock_;
  Publish publish_;
  std::string topic_;
  std::map<std::string, Handler, std::less<>> handlers_;
  std::map<std::string, SteadyTime, std::less<>> heard_;  // instance → when last
  bool connected_ = false;
  bool unknown_ = false;  // to a gateway that came after our last presence
  std::optional<SteadyTime> last_presence_;
  log::Pause pause_{std::chrono::seconds(10)};
  std::uint64_t refused_ = 0, unsigned_ = 0;
  std::optional<PeerSeal> seal_;
  bool warned_ = false;  // that there is no key
};

}  // namespace nuropb::meshd
