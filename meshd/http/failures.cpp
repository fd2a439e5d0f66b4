#include "meshd/http/failures.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace nuropb::http::detail {
namespace {

constexpr int too_large_since_8_6 = 100;  // CURLE_TOO_LARGE, which libcurl 7.88 does not have

curl_off_t time_of(CURL* easy, CURLINFO what) {
  curl_off_t us = 0;
  curl_easy_getinfo(easy, what, &us);
  return us;
}

template <class T>
T number(CURL* easy, CURLINFO what) {
  T value = 0;
  curl_easy_getinfo(easy, what, &value);
  return value;
}

/// What the transfer was doing. libcurl records when each step was finished.
const char* doing(CURL* easy, bool tls_begun) {
  if (time_of(easy, CURLINFO_STARTTRANSFER_TIME_T) > 0) return "reading the answer";
  if (time_of(easy, CURLINFO_PRETRANSFER_TIME_T) > 0) return "waiting for the answer";
  if (time_of(easy, CURLINFO_NAMELOOKUP_TIME_T) == 0) return "looking up the host's name";
  return tls_begun ? "the TLS handshake" : "connecting";
}

std::string proxy_hint(const Url& url, const char* otherwise) {
  const char* variable = proxy_variable(url);
  if (!variable) return otherwise;
  return std::string(variable) + " names a proxy: is it there? no_proxy lists hosts that are reached without it";
}

Error closed(CURL* easy, const Url& url, bool tls_begun) {
  return {std::string("the connection was closed while ") + doing(easy, tls_begun), url.redacted(), {}};
}

/// OpenSSL's reason from libcurl's text.
std::string tls_reason(const std::string& said) {
  std::string out = said;
  std::replace_if(out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return out.empty() ? "the handshake failed" : out;
}

Error not_connected(CURL* easy, const std::string& said, const Url& url) {
  const long reason = number<long>(easy, CURLINFO_OS_ERRNO);
  // libcurl's text names the peer that it could not reach: "Failed to connect to 127.0.0.1 port 1 after …".
  const char* proxy = proxy_variable(url);
  const bool by_proxy = proxy && said.find(" to " + url.host) == std::string::npos;
  const std::string by = by_proxy ? std::string(" by the proxy that ") + proxy + " names" : "";
  if (reason == ECONNREFUSED)
    return {"connection refused" + by, url.redacted(), proxy_hint(url, "is a server listening there?")};
  return {"not connected" + by + ": " + std::generic_category().message(static_cast<int>(reason)), url.redacted(),
          proxy_hint(url, "")};
}

Error not_trusted(const Url& url) {
  return {"the server's certificate is not trusted, or not for '" + url.host + "'", url.redacted(),
          "set its authority in ca_file, and use a name that the certificate contains"};
}

}  // namespace

const char* proxy_variable(const Url& url) {
  if (loopback(url)) return nullptr;
  const auto given = [](const char* name) {
    const char* value = std::getenv(name);
    return value && *value != '\0';
  };
  // libcurl ignores HTTP_PROXY in capitals, which may be a client's request header in CGI programs.
  if (!url.tls && given("http_proxy")) return "http_proxy";
  if (url.tls && given("https_proxy")) return "https_proxy";
  if (url.tls && given("HTTPS_PROXY")) return "HTTPS_PROXY";
  if (given("all_proxy")) return "all_proxy";
  return given("ALL_PROXY") ? "ALL_PROXY" : nullptr;
}

Error failed(CURL* easy, CURLcode code, const std::string& said, const Url& url, const Tls& tls, bool tls_begun) {
  const std::string where = url.redacted();
  const char* proxy = proxy_variable(url);
  const char* variable = proxy ? proxy : "the environment";
  if (const long status = number<long>(easy, CURLINFO_HTTP_CONNECTCODE); status >= 300)
    return {"the proxy answers CONNECT with status " + std::to_string(status), where, proxy_hint(url, "")};
  switch (static_cast<int>(code)) {
    case CURLE_OPERATION_TIMEDOUT: return late(easy, url, tls_begun);
    case CURLE_URL_MALFORMAT:
    case CURLE_COULDNT_RESOLVE_HOST:
      return {"host name '" + url.host + "' can't be resolved", where,
              "is its name right, and does the resolver answer?"};
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
      return {std::string("the proxy that ") + variable + " names can't be used", where, proxy_hint(url, "")};
    case CURLE_COULDNT_CONNECT: return not_connected(easy, said, url);
    case CURLE_PEER_FAILED_VERIFICATION: return not_trusted(url);
    case CURLE_SSL_CACERT_BADFILE: return {"can't be read as PEM certificates", tls.ca_file, {}};
    case CURLE_SSL_CERTPROBLEM:
      if (said.find("rivate key") != std::string::npos)
        return {"is not the PEM key of the certificate", tls.key_file, {}};
      return {"can't be read as a PEM certificate", tls.certificate_file, {}};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CLIENTCERT: return {"TLS: " + tls_reason(said), where, "does this port speak TLS?"};
    case CURLE_GOT_NOTHING: return {"the connection was closed without an answer", where, {}};
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR: return closed(easy, url, tls_begun);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return {"the peer does not speak HTTP", where, url.tls ? "" : "does this port require https?"};
    case CURLE_FILESIZE_EXCEEDED:
    case too_large_since_8_6:
    case CURLE_OUT_OF_MEMORY:  // reported by libcurl 7.88 for a line without an end
      return too_large(url);
    default: return {std::string(doing(easy, tls_begun)) + ": " + curl_easy_strerror(code), where, {}};
  }
}

Error late(CURL* easy, const Url& url, bool tls_begun) {
  if (time_of(easy, CURLINFO_PRETRANSFER_TIME_T) == 0 && time_of(easy, CURLINFO_NAMELOOKUP_TIME_T) == 0)
    return {"host name '" + url.host + "' can't be resolved in time", url.redacted(), {}};
  return {std::string("no answer in time while ") + doing(easy, tls_begun), url.redacted(),
          proxy_hint(url, "is the host reachable?")};
}

Error too_large(const Url& url) { return {"the answer is too large", url.redacted(), {}}; }
Error cancelled(const Url& url) { return {"cancelled", url.redacted(), {}}; }

}  // namespace nuropb::http::detail
