#pragma once
// Communication among the gateways of one service, on one broker or cluster: events of the mesh under a reserved topic.
//
//   tell(kind, json) ──► "nuropb-gateway.<service>" on the events exchange ──► every other gateway's on(kind)
//
// Small presence messages announce each gateway: one when it starts, one from each other gateway when it hears of a new
// one, then one every `period`; a gateway that is silent for `expiry` is considered gone. A lone gateway sends almost
// nothing. Delivery is that of events: at most once, in order between two gateways. Messages that an unavailable broker
// could not deliver within `lifetime` are dropped.
//
// All received messages are untrusted, since every participant of the mesh may publish them: they are bounded and
// validated, and an invalid message is counted and dropped. With keys (push.key_file) a message without a valid MAC is
// invalid; without keys every participant can impersonate a gateway, which is logged as a warning when another gateway
// appears. Our own messages are ignored. Clients can neither publish to reserved topics nor subscribe to them, whatever
// the policy, and such events that match a pattern like `#` are not forwarded to clients (routing/event_router.cpp).
//
// Owner thread: the ring loop. No call blocks.

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

/// One message between gateways, from the `event` member of an event. Views point into the decoded text.
struct PeerMessage {
  std::string from;  ///< instance id of the sender
  std::string to;    ///< instance id of the recipient; empty: all
  std::string kind;
  std::string_view json;  ///< raw JSON, whose meaning depends on `kind`
  PeerProof proof;
};

class Peers {
 public:
  static constexpr std::string_view reserved_word = "nuropb-gateway";  ///< the first word of every reserved topic
  static constexpr std::size_t max_instance = 128;                     ///< bytes of an instance id
  static constexpr std::size_t max_kind = 64;
  static constexpr std::size_t most_peers = 1024;  ///< gateways whose presence is stored

  struct Settings {
    std::string service;             ///< gateway.service
    std::string instance;            ///< ours
    std::size_t largest = 4U << 20;  ///< bytes of one message
    std::size_t json_depth = 256;
    milliseconds period{2000};               ///< push.presence_ms
    milliseconds expiry{7000};               ///< three and a half periods
    milliseconds lifetime{5000};             ///< how long an unavailable broker may delay a message
    std::shared_ptr<const PeerKeys> keys{};  ///< null: every message is accepted
    bool accept_unsigned = false;            ///< with keys: messages without a MAC are accepted as well
    WallClock wall_clock = unix_now;
  };
  /// Passes an event to the transport: topic, body, and when it becomes worthless. Returns false if there is no room
  /// now.
  using Publish = std::function<bool(const std::string& topic, std::string body, SteadyTime deadline)>;
  /// `from` is the sender's instance id, `json` the message; both are valid during the call.
  using Handler = std::function<void(const std::string& from, std::string_view json)>;

  Peers(Settings settings, const Clock& clock, Publish publish);

  /// The only topic that our transport has to bind for this.
  [[nodiscard]] const std::string& topic() const { return topic_; }
  /// True for every topic that is reserved for gateways, and for patterns that name such topics by their first word.
  [[nodiscard]] static bool reserved(std::string_view topic);

  /// Sets the handler of a kind. To be called before the first message can arrive.
  void on(std::string kind, Handler handler);
  /// Sends to all other gateways, or to one of them. `json` is valid JSON; gateways ignore unknown kinds. Returns false
  /// if the message could not be passed to the broker: too large, no broker, no room.
  bool tell(std::string_view kind, std::string_view json, std::string_view to = {});

  /// Instance ids of the other live gateways, sorted. Empty while the broker is unavailable.
  [[nodiscard]] std::vector<std::string> alive() const;
  [[nodiscard]] bool alive(std::string_view instance) const;
  /// Called when a gateway was silent for too long, or announced its end.
  std::function<void(const std::string& instance)> on_gone;
  /// Called when a gateway appears that was not live.
  std::function<void(const std::string& instance)> on_come;

  /// connected(): the broker has bound our topic, so presence is announced from now on. disconnected(): no other
  /// gateway is known to be live.
  void connected();
  void disconnected();
  /// Handles an event of the reserved topic.
  void receive(std::string_view body);
  /// To be called about once a second: sends presence, and detects gateways that are gone.
  void tick();
  /// Announces our end, so that the others need not wait for the expiry.
  void leave();

  [[nodiscard]] std::uint64_t refused() const { return refused_; }  ///< malformed or unauthenticated messages
  /// Messages that were accepted without a MAC.
  [[nodiscard]] std::uint64_t unsigned_ones() const { return unsigned_; }
  /// For handlers: counts and logs a malformed message.
  void refuse_message(const std::string& from, const std::string& why) { refuse("from gateway " + from + ": " + why); }

  /// Pure; the first step of receive(). An error says what is wrong.
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
  std::map<std::string, SteadyTime, std::less<>> heard_;  // instance → when it was last heard
  bool connected_ = false;
  bool unknown_ = false;  // a gateway appeared after our last presence and does not know us
  std::optional<SteadyTime> last_presence_;
  log::Pause pause_{std::chrono::seconds(10)};
  std::uint64_t refused_ = 0, unsigned_ = 0;
  std::optional<PeerSeal> seal_;
  bool warned_ = false;  // whether the missing key was logged
};

}  // namespace nuropb::meshd
