#pragma once
// Private to the HTTP client: translates libcurl's errors. The texts contain no password, neither the URL's nor that of
// a proxy, which libcurl's own texts may contain.

#include <curl/curl.h>

#include <string>

#include "meshd/http/client.hpp"

namespace nuropb::http::detail {

/// The environment variable that names a proxy for this URL, by libcurl's rules; nullptr if none is set. no_proxy is
/// not considered.
const char* proxy_variable(const Url& url);

/// The error of a failed transfer. `said` is the content of CURLOPT_ERRORBUFFER; `tls_begun` distinguishes the TLS
/// handshake from connecting, for which libcurl has one code.
Error failed(CURL* easy, CURLcode code, const std::string& said, const Url& url, const Tls& tls, bool tls_begun);
/// The error of a transfer that exceeded its deadline.
Error late(CURL* easy, const Url& url, bool tls_begun);
Error too_large(const Url& url);
Error cancelled(const Url& url);

}  // namespace nuropb::http::detail
