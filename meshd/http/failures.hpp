#pragma once
// Private to the HTTP client: what libcurl reports, in our words. No password is in them: neither the URL's, nor that of a
// proxy, which libcurl's own texts may have.

#include <curl/curl.h>

#include <string>

#include "meshd/http/client.hpp"

namespace nuropb::http::detail {

/// The variable of the environment that names a proxy for this URL, by libcurl's rules; nothing where none does. no_proxy is
/// not looked at.
const char* proxy_variable(const Url& url);

/// A transfer that has ended otherwise than well. `said` is the content of CURLOPT_ERRORBUFFER; `tls_begun` tells the handshake
/// from connecting, which are one to libcurl.
Error failed(CURL* easy, CURLcode code, const std::string& said, const Url& url, const Tls& tls, bool tls_begun);
/// A transfer that is under way and too late.
Error late(CURL* easy, const Url& url, bool tls_begun);
Error too_large(const Url& url);
Error cancelled(const Url& url);

}  // namespace nuropb::http::detail
