#include "meshd/http/transfer.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "common/same_letters.hpp"
#include "meshd/http/failures.hpp"

namespace nuropb::http::detail {
namespace {

constexpr std::size_t max_head = 64U << 10;
constexpr int dead_peer_ms = 20'000;
constexpr milliseconds longest_wait{60'000};
/// libcurl 7.88 does not wake by itself when the next address is due.
constexpr milliseconds longest_wait_before_head{200};
// After that names are resolved, and certificate files read, again.
constexpr long oldest_connection_s = 300;

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

/// Sets the options of a transfer and remembers the first one that libcurl refuses.
class Options {
 public:
  explicit Options(CURL* easy) : easy_(easy) {}
  template <class T>
  void set(CURLoption option, T value) {
    const CURLcode code = curl_easy_setopt(easy_, option, value);
    if (code != CURLE_OK && refused_ == CURLE_OK) refused_ = code;
  }
  void set(CURLoption option, const std::string& value) { set(option, value.c_str()); }
  [[nodiscard]] CURLcode refused() const { return refused_; }

 private:
  CURL* easy_;
  CURLcode refused_ = CURLE_OK;
};

curl_socket_t open_socket(void* /*unused*/, curlsocktype /*unused*/, curl_sockaddr* to) {
  const int fd = ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
  if (fd < 0 || to->socktype != SOCK_STREAM) return fd;
  // Keep-alive detects a vanished peer also on a stream that only receives.
  const int on = 1, idle_s = 5, interval_s = 5, timeout_ms = dead_peer_ms;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
  return fd;
}

void set_tls(Options& options, const Tls& tls) {
  options.set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  options.set(CURLOPT_SSL_VERIFYPEER, tls.verify_peer ? 1L : 0L);
  options.set(CURLOPT_SSL_VERIFYHOST, tls.verify_peer ? 2L : 0L);
  options.set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  options.set(CURLOPT_CA_CACHE_TIMEOUT, 0L);  // the file may have changed by the next connection
  options.set(CURLOPT_CAINFO, tls.ca_file.empty() ? nullptr : tls.ca_file.c_str());
  if (tls.certificate_file.empty()) return;
  options.set(CURLOPT_SSLCERT, tls.certificate_file);
  options.set(CURLOPT_SSLKEY, tls.key_file);
  options.set(CURLOPT_KEYPASSWD, "");  // for a key with a password: prevents a prompt on the terminal
}

/// Default headers, unless the request has them.
std::vector<std::pair<std::string, std::string>> headers_of(const Request& request, bool keep_open) {
  std::vector<std::pair<std::string, std::string>> out = request.headers;
  const auto add = [&](const char* name, const char* value) {
    const auto same = [&](const auto& each) { return same_letters(each.first, name); };
    if (std::none_of(request.headers.begin(), request.headers.end(), same)) out.emplace_back(name, value);
  };
  add("Accept", "application/json");
  if (!request.body.empty()) add("Content-Type", "application/json");
  if (!keep_open) add("Connection", "close");
  return out;
}

}  // namespace

void Transfer::Release::operator()(void* handle) const { curl_easy_cleanup(handle); }
void Transfer::Release::operator()(curl_slist* list) const { curl_slist_free_all(list); }
void Transfer::ReleaseMulti::operator()(void* handle) const { curl_multi_cleanup(handle); }

Transfer::Transfer(Url url, Tls tls, Limit limit, bool keep_open)
    : url_(std::move(url)), tls_(std::move(tls)), limit_(limit), keep_open_(keep_open) {
  static const CURLcode begun =
      curl_global_init(CURL_GLOBAL_DEFAULT);  // C++ runs this on one thread while the others wait
  if (begun == CURLE_OK) multi_.reset(curl_multi_init());
  if (multi_) curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, 1L);
}

Transfer::~Transfer() { end(); }

void Transfer::end() {
  if (easy_) curl_multi_remove_handle(multi_.get(), easy_.get());
  easy_.reset();
  headers_.reset();
}

void Transfer::cancel() {
  cancelled_ = true;
  if (multi_) curl_multi_wakeup(multi_.get());
}

std::size_t Transfer::on_head(char* data, std::size_t size, std::size_t count, void* self) {
  Transfer& to = *static_cast<Transfer*>(self);
  const std::string_view line(data, size * count);
  to.head_bytes_ += line.size();
  if (to.head_bytes_ > max_head) {
    to.too_large_ = true;
    return 0;
  }
  if (line == "\r\n" || line == "\n") {
    long status = 0;
    curl_easy_getinfo(to.easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    to.head_done_ = status >= 200;  // a status below 200 announces a further response
  }
  return line.size();
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  Transfer& to = *static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  if (to.limit_.waits) {
    // One piece is at most as large as libcurl's buffer.
    if (to.body_.size() > to.limit_.body) {
      to.paused_ = true;
      return CURL_WRITEFUNC_PAUSE;
    }
  } else if (bytes > to.limit_.body - to.body_.size()) {
    to.too_large_ = true;
    return 0;
  }
  to.body_.append(data, bytes);
  return bytes;
}

int Transfer::on_tls(void* /*easy*/, void* context, void* self) {
  Transfer& to = *static_cast<Transfer*>(self);
  to.tls_begun_ = true;
  // The system's authorities as OpenSSL finds them (SSL_CERT_FILE, SSL_CERT_DIR): only the needed one is read, not all.
  if (!to.tls_.ca_file.empty() || SSL_CTX_set_default_verify_paths(static_cast<SSL_CTX*>(context)) == 1)
    return CURLE_OK;
  return CURLE_SSL_CACERT_BADFILE;
}

Result<void> Transfer::prepare(const Request& request, SteadyTime deadline) {
  // A line break in external input (a token, a name) must not become a header.
  const std::string target = url_.request_target(request.target);
  const auto headers = headers_of(request, keep_open_);
  bool clean = printable(target) && printable(request.method);
  for (const auto& [name, value] : headers) clean = clean && printable(name) && printable(value);
  if (!clean) return failure("the request has control characters in its head", url_.redacted());

  Options options(easy_.get());
  options.set(CURLOPT_PROTOCOLS_STR, url_.tls ? "https" : "http");
  options.set(CURLOPT_URL, (url_.tls ? "https://" : "http://") + url_.authority() + target);
  options.set(CURLOPT_PATH_AS_IS, 1L);
  if (target.ends_with('?')) {
    // libcurl drops an empty query. Through a proxy, this target is used within a tunnel only.
    options.set(CURLOPT_REQUEST_TARGET, target);
    options.set(CURLOPT_HTTPPROXYTUNNEL, 1L);
  }
  options.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (loopback(url_)) options.set(CURLOPT_PROXY, "");
  options.set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  options.set(CURLOPT_CUSTOMREQUEST, request.method);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    options.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    options.set(CURLOPT_COPYPOSTFIELDS, request.body);
  }
  if (!url_.user.empty()) {
    options.set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    options.set(CURLOPT_USERNAME, url_.user);
    options.set(CURLOPT_PASSWORD, url_.password);
  }
  const auto add = [&](const std::string& line) {
    if (curl_slist* longer = curl_slist_append(headers_.get(), line.c_str())) {
      (void)headers_.release();
      headers_.reset(longer);
    }
  };
  add("Expect:");  // sends a body at once, whatever its size
  if (request.body.empty()) add("Content-Type:");
  for (const auto& [name, value] : headers) add(name + (value.empty() ? ";" : ": " + value));
  options.set(CURLOPT_HTTPHEADER, headers_.get());
  options.set(CURLOPT_USERAGENT, "nuropb-gateway/" NUROPB_VERSION);

  options.set(CURLOPT_NOSIGNAL, 1L);
  options.set(CURLOPT_QUICK_EXIT, 1L);  // does not wait for a name resolution that hangs
  options.set(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  options.set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  options.set(CURLOPT_MAXLIFETIME_CONN, oldest_connection_s);
  options.set(CURLOPT_FORBID_REUSE, keep_open_ ? 0L : 1L);
  // If a name has several addresses, each may take half of the remaining time.
  const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  options.set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::clamp<std::int64_t>(left, 1, 86'400'000)));
  if (url_.tls) {
    set_tls(options, tls_);
    options.set(CURLOPT_SSL_CTX_FUNCTION, &Transfer::on_tls);
    options.set(CURLOPT_SSL_CTX_DATA, this);
  }

  said_.assign(CURL_ERROR_SIZE, '\0');
  options.set(CURLOPT_ERRORBUFFER, said_.data());
  if (!limit_.waits) options.set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limit_.body));
  options.set(CURLOPT_HEADERFUNCTION, &Transfer::on_head);
  options.set(CURLOPT_HEADERDATA, this);
  options.set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  options.set(CURLOPT_WRITEDATA, this);
  if (options.refused() != CURLE_OK)
    return failure(std::string("libcurl lacks a required feature: ") + curl_easy_strerror(options.refused()),
                   url_.redacted());
  return {};
}

Result<void> Transfer::begin(const Request& request, SteadyTime deadline) {
  end();
  body_.clear();
  head_bytes_ = 0;
  head_done_ = too_large_ = paused_ = tls_begun_ = false;
  ended_.reset();
  if (cancelled_) return tl::unexpected(detail::cancelled(url_));
  if (multi_) easy_.reset(curl_easy_init());
  if (!easy_) return failure("libcurl can't be used", url_.redacted());
  if (const auto ready = prepare(request, deadline); !ready) {
    easy_.reset();
    return ready;
  }
  if (curl_multi_add_handle(multi_.get(), easy_.get()) != CURLM_OK) {
    easy_.reset();
    return failure("libcurl can't be used", url_.redacted());
  }
  return {};
}

tl::unexpected<Error> Transfer::give_up(Error error) {
  end();
  return tl::unexpected(std::move(error));
}

Result<void> Transfer::run(SteadyTime deadline, const std::function<bool()>& enough) {
  if (cancelled_) return give_up(detail::cancelled(url_));
  while (!enough()) {
    if (!easy_) return failure("the transfer has already failed", url_.redacted());
    if (ended_) {
      if (too_large_) return give_up(detail::too_large(url_));
      if (*ended_ == CURLE_OK) return {};
      return give_up(failed(easy_.get(), static_cast<CURLcode>(*ended_), said_.c_str(), url_, tls_, tls_begun_));
    }
    int running = 0;
    CURLMcode code = curl_multi_perform(multi_.get(), &running);
    if (cancelled_) return give_up(detail::cancelled(url_));
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left))
      if (message->msg == CURLMSG_DONE) ended_ = message->data.result;
    if (ended_ || enough()) continue;
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) return give_up(late(easy_.get(), url_, tls_begun_));
    const milliseconds longest = head_done_ ? longest_wait : longest_wait_before_head;
    const auto wait = std::min(std::chrono::ceil<milliseconds>(deadline - now), longest).count();
    if (code == CURLM_OK) code = curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(wait), nullptr);
    if (code != CURLM_OK) return give_up({curl_multi_strerror(code), url_.redacted(), {}});
  }
  return {};
}

unsigned Transfer::status() const {
  long status = 0;
  if (easy_) curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  return static_cast<unsigned>(status);
}

Result<unsigned> Transfer::head(SteadyTime deadline) {
  if (const auto done = run(deadline, [this] { return head_done_; }); !done) return tl::unexpected(done.error());
  return status();
}

Result<bool> Transfer::more(SteadyTime deadline) {
  const std::size_t before = body_.size();
  if (paused_ && easy_) {
    paused_ = false;
    curl_easy_pause(easy_.get(), CURLPAUSE_CONT);
  }
  if (const auto done = run(deadline, [&] { return body_.size() > before; }); !done)
    return tl::unexpected(done.error());
  return body_.size() > before;
}

Result<Response> Transfer::all(SteadyTime deadline) {
  if (const auto done = run(deadline, [] { return false; }); !done) return tl::unexpected(done.error());
  Response out{status(), std::exchange(body_, {})};
  end();
  return out;
}

}  // namespace nuropb::http::detail
