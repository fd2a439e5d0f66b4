#pragma once
// Requests to and responses from etcd v3's gRPC-JSON gateway, as JSON text. Keys and values are base64, 64-bit numbers
// are strings (protobuf's JSON mapping; etcd's api/v3 rpc.proto).
//
// Pure. Responses are untrusted: everything malformed is an error.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.hpp"

namespace nuropb::etcd {

/// Keys of a service (nuropb-wire.md section 1): <prefix>/leader and <prefix>/rmq-config-ok.
struct Keys {
  std::string leader, config_ok, from, to;  ///< from..to: the range of all keys that begin with <prefix>/
  static Keys of(const std::string& prefix);
};

struct Lease {
  std::int64_t id = 0;
  std::int64_t ttl_s = 0;
};
std::string grant_request(std::int64_t ttl_s);
Result<Lease> read_grant(std::string_view body);

std::string lease_request(std::int64_t lease);  ///< for keepalive and revoke
/// An expired lease has a ttl of 0.
Result<Lease> read_keep_alive(std::string_view body);

/// Creates the leader key, bound to the lease, if its version is 0; returns its owner and the value of rmq-config-ok.
std::string nominate_request(const Keys& keys, const std::string& instance_id, std::int64_t lease);
struct Nomination {
  /// The key is bound to our lease, by this transaction or by an earlier one whose response was lost.
  bool ours = false;
  std::string leader;
  bool config_ok = false;
  std::int64_t revision = 0;
};
Result<Nomination> read_nomination(std::string_view body, const Keys& keys, const std::string& instance_id,
                                   std::int64_t lease);

/// Sets rmq-config-ok = True if the leader key is bound to our lease.
std::string publish_request(const Keys& keys, std::int64_t lease);
Result<bool> read_publish(std::string_view body);

std::string watch_request(const Keys& keys, std::int64_t from_revision);
struct LeaderPut {
  std::string leader;
  std::int64_t lease;
};
struct LeaderDeleted {};
struct ConfigPut {
  bool ok;
};
using WatchEvent = std::variant<LeaderPut, LeaderDeleted, ConfigPut>;
/// Parses one line of the watch's response. An error means that etcd has ended the watch.
Result<std::vector<WatchEvent>> read_watch_line(std::string_view line, const Keys& keys);

std::string authenticate_request(const std::string& user, const std::string& password);
Result<std::string> read_token(std::string_view body);

/// The text of an error response, shortened and printable.
std::string refusal(std::string_view body);

}  // namespace nuropb::etcd
