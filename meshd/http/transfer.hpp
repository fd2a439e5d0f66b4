#pragma once
// Private to the HTTP client: one transfer at a time, and the connection that is kept for the next one.
//
// Uses libcurl's multi interface, so that a call can be cancelled: the calling thread waits until the requested part
// has arrived, the deadline passes, or cancel() wakes it. libcurl resolves names on its own threads; one that hangs is
// abandoned.
//
// One thread at a time; cancel() may be called from any thread during the object's lifetime.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "meshd/http/client.hpp"

struct curl_slist;

namespace nuropb::http::detail {

class Transfer {
 public:
  /// How much of a response may be buffered.
  struct Limit {
    std::size_t body = 0;
    bool waits = false;  ///< more data stays in the socket until the buffer is read; false: more is an error
  };

  Transfer(Url url, Tls tls, Limit limit, bool keep_open);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Ends the previous transfer and starts a new one. The deadline applies to connecting.
  Result<void> begin(const Request& request, SteadyTime deadline);
  /// Blocks until the response's head is complete; returns the status.
  Result<unsigned> head(SteadyTime deadline);
  /// Blocks until body() has grown. Returns false if the response is complete.
  Result<bool> more(SteadyTime deadline);
  /// Blocks until the response is complete, and returns it.
  Result<Response> all(SteadyTime deadline);
  /// Received bytes that were not consumed yet.
  [[nodiscard]] std::string& body() { return body_; }

  /// Ends the call in progress and all later ones. Any thread.
  void cancel();
  [[nodiscard]] bool cancelled() const { return cancelled_; }

 private:
  struct Release {
    void operator()(void* handle) const;
    void operator()(curl_slist* list) const;
  };
  struct ReleaseMulti {
    void operator()(void* handle) const;
  };
  static std::size_t on_head(char* data, std::size_t size, std::size_t count, void* self);
  static int on_tls(void* easy, void* context, void* self);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  Result<void> prepare(const Request& request, SteadyTime deadline);
  Result<void> run(SteadyTime deadline, const std::function<bool()>& enough);
  [[nodiscard]] unsigned status() const;
  tl::unexpected<Error> give_up(Error error);
  void end();

  Url url_;
  Tls tls_;
  Limit limit_;
  bool keep_open_;
  std::unique_ptr<void, ReleaseMulti> multi_;
  std::unique_ptr<curl_slist, Release> headers_;
  std::unique_ptr<void, Release> easy_;  // destroyed before the members that it points to
  std::string said_;                     // libcurl's error text
  std::string body_;
  std::size_t head_bytes_ = 0;
  bool head_done_ = false, too_large_ = false, paused_ = false, tls_begun_ = false;
  // A CURLcode; body_ may still hold data that arrived before it.
  std::optional<int> ended_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace nuropb::http::detail
