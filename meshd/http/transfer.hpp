#pragma once
// Private to the HTTP client: one transfer of libcurl's at a time, and the connection that it leaves for the next one.
//
// libcurl's multi interface, so that a call can be ended: the caller's own thread waits until what it wants is there, the
// deadline passes, or cancel() wakes it. Names are looked up on threads of libcurl's; one that hangs is left behind.
//
// One thread at a time; cancel() from any, for as long as the object lives.

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
  /// How much of an answer is held.
  struct Limit {
    std::size_t body = 0;
    bool waits = false;  ///< what is more waits in the socket until it is read; false: it is an error
  };

  Transfer(Url url, Tls tls, Limit limit, bool keep_open);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Ends what was under way. The deadline is that of connecting.
  Result<void> begin(const Request& request, SteadyTime deadline);
  /// Waits for the end of the answer's head; its status.
  Result<unsigned> head(SteadyTime deadline);
  /// Waits until body() has more than before. False: the answer is complete.
  Result<bool> more(SteadyTime deadline);
  /// Waits for the end of the answer, and takes it out.
  Result<Response> all(SteadyTime deadline);
  /// What has come and was not taken out.
  [[nodiscard]] std::string& body() { return body_; }

  /// Ends the call under way, and all later ones. Any thread.
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
  std::unique_ptr<void, Release> easy_;  // before what it points to
  std::string said_;                     // libcurl's own words
  std::string body_;
  std::size_t head_bytes_ = 0;
  bool head_done_ = false, too_large_ = false, paused_ = false, tls_begun_ = false;
  std::optional<int> ended_;  // a CURLcode: what came before it may still be waiting in body_
  std::atomic<bool> cancelled_{false};
};

}  // namespace nuropb::http::detail
