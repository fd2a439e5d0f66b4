#pragma once
// Client for an etcd v3 cluster over its gRPC-JSON gateway: only the calls that a leader election needs.
//
// Why the JSON gateway and not gRPC: HTTP/1.1 and JSON are used here anyway, while Debian's gRPC would bring a code
// generator, protobuf and its threads for seven calls. The gateway is part of every etcd since 3.4, under /v3.
//
// Calls block, each for at most the timeout. One caller at a time; watches and cancel() may be on other threads. A call
// goes to one member of the cluster; after a failure the next call goes to the next member. The caller has to resolve
// ambiguous outcomes; all calls are idempotent.

#include <memory>
#include <string>
#include <vector>

#include "meshd/etcd/wire.hpp"
#include "meshd/http/client.hpp"

namespace nuropb::etcd {

struct Settings {
  std::vector<http::Url> urls;
  http::Tls tls;
  std::string user, password;  ///< empty: the cluster requires no authentication
  milliseconds timeout{2000};
};

/// A running watch. One thread reads it; cancel() may be called from another.
class Watch {
 public:
  Watch(std::unique_ptr<http::Stream> stream, Keys keys, std::string where)
      : stream_(std::move(stream)), keys_(std::move(keys)), where_(std::move(where)) {}
  /// Blocks until the next events. An error ends the watch.
  Result<std::vector<WatchEvent>> next();
  void cancel() { stream_->cancel(); }

 private:
  std::unique_ptr<http::Stream> stream_;
  Keys keys_;
  std::string where_;
};

class Client {
 public:
  Client(Settings settings, const std::string& prefix);

  Result<Lease> grant(std::int64_t ttl_s);
  Result<Lease> keep_alive(std::int64_t lease);
  Result<Nomination> nominate(const std::string& instance_id, std::int64_t lease);
  Result<bool> publish(std::int64_t lease);
  Result<void> revoke(std::int64_t lease);
  Result<std::shared_ptr<Watch>> watch(std::int64_t from_revision);

  /// Ends the call in progress and refuses later ones. Any thread.
  void cancel();

 private:
  Result<std::string> call(const std::string& path, const std::string& body);
  Result<void> log_in();
  http::Request request(const std::string& path, std::string body) const;
  tl::unexpected<Error> failed(Error error);
  http::Client& member() { return *members_[current_ % members_.size()]; }

  Settings settings_;
  Keys keys_;
  std::vector<std::unique_ptr<http::Client>> members_;
  std::size_t current_ = 0;
  std::string token_;
};

}  // namespace nuropb::etcd
