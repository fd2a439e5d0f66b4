#pragma once
// What a service container says to etcd v3's gRPC-JSON gateway and what it hears: requests and answers as JSON text.
// Keys and values are base64, 64-bit numbers are strings (protobuf's JSON mapping; etcd's api/v3 rpc.proto).
//
// Pure. Answers are anybody's bytes: whatever is not what it should be is an error.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.hpp"

namespace nuropb::etcd {

/// Keys of a service (nuropb-wire.md section 1): <prefix>/leader and <prefix>/rmq-config-ok.
struct Keys {
  std::string leader, config_ok, from, to;  ///< from..to: the range of all that begins with <prefix>/
  static Keys of(const std::string& prefix);
};

struct Lease {
  std::int64_t id = 0;
  std::int64_t ttl_s = 0;
};
std::string grant_request(std::int64_t ttl_s);
Result<Lease> read_grant(std::string_view body);

std::string lease_request(std::int64_t lease);  ///< keepalive and revoke
/// A lease that is gone has a ttl of 0.
Result<Lease> read_keep_alive(std::string_view body);

/// Puts the leader key, bound to the lease, if its version is 0; tells who has it, and what rmq-config-ok says.
std::string nominate_request(const Keys& keys, const std::string& instance_id, std::int64_t lease);
struct Nomination {
  bool ours = false;  ///< the key is bound to our lease, by this transaction or one whose answer was lost
  std::string leader;
  bool config_ok = false;
  std::int64_t revision = 0;
};
Result<Nomination> read_nomination(std::string_view body, const Keys& keys, const std::string& instance_id,
                                   std::int64_t lease);

/// rmq-config-ok = True, if the leader key is bound to our lease.
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
/// One line of the watch's answer. An error if etcd has ended the watch.
Result<std::vector<WatchEvent>> read_watch_line(std::string_view line, const Keys& keys);

std::string authenticate_request(const std::string& user, const std::string& password);
Result<std::string> read_token(std::string_view body);

/// The text of an answer that says no, short and printable.
std::string refusal(std::string_view body);

}  // namespace nuropb::etcd
