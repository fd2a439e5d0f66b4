// Every key of the config, once.

#include "common/config_keys.hpp"

#include <algorithm>
#include <array>

#include "common/config_checks.hpp"
#include "common/config_key_makers.hpp"

namespace nuropb {
namespace {

using namespace config_checks;

constexpr std::array<std::string_view, 4> levels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> formats{"text", "json"};
constexpr std::array<std::string_view, 2> mesh_words{"rabbitmq", "loopback"};
constexpr std::array<std::string_view, 3> forwarded_words{"none", "x-forwarded-for", "forwarded"};
constexpr std::array<std::string_view, 2> tls_versions{"1.2", "1.3"};
constexpr std::array<std::string_view, 3> client_certificate_words{"none", "optional", "required"};
constexpr std::array<std::string_view, 4> client_names{"cn", "dns", "email", "uri"};

ConfigKey management_url() {
  ConfigKey key = text<&Config::amqp, &Config::Amqp::management_url>(
      "amqp", "management_url",
      "RabbitMQ's management, over which a missing virtual host is made. Empty: the AMQP host at port + 10000, with "
      "the same user.");
  key.secret = true;
  key.check = [](const ConfigValue& v) {
    return std::get<std::string>(v).empty() ? std::optional<std::string>() : http_url(std::get<std::string>(v));
  };
  return key;
}

ConfigKey amqp_urls() {
  ConfigKey key = list<&Config::amqp, &Config::Amqp::urls>(
      "amqp", "urls", "The broker's addresses, amqp:// or amqps://, tried in turn: the nodes of one cluster.");
  key.secret = true;
  key.check = broker_urls;
  return key;
}

// A table: a key is a line.
// clang-format off
std::vector<ConfigKey> make_keys() {
  using C = Config;
  return {
      checked(text<&C::gateway, &C::Gateway::service>("gateway", "service", "The gateway's own name as a service on the mesh."), service_name),
      checked(text<&C::gateway, &C::Gateway::instance>("gateway", "instance", "Tells this gateway from others of the same service. Empty: made up once and kept in runtime_dir."), instance_id),
      checked(path<&C::gateway, &C::Gateway::runtime_dir>("gateway", "runtime_dir", "Folder for the control socket, the sealing secret and the instance id; made with mode 0700."), not_empty),
      choice<&C::gateway, &C::Gateway::mesh, mesh_words>("gateway", "mesh", "rabbitmq, or loopback: no broker, every service exists and every method of it answers with its parameters. For trying out and measuring."),
      integer<&C::gateway, &C::Gateway::edges>("gateway", "edges", 1, 200, "How many edges the launcher starts. One per core that consumers may use is a good start."),
      integer<&C::gateway, &C::Gateway::max_workers>("gateway", "max_workers", 1, 200, "How many edges meshd takes; during a roll there is one more than `edges`."),
      integer<&C::gateway, &C::Gateway::hung_after_s>("gateway", "hung_after_s", 2, 3600, "An edge that shows no sign of life for so many seconds is killed, so that the launcher replaces it."),

      checked(text<&C::listen, &C::Listen::address>("listen", "address", "The address that every edge listens on. 0.0.0.0 or :: for all."), not_empty),
      integer<&C::listen, &C::Listen::port>("listen", "port", 0, 65535, "The port, shared by all edges. 0: a free one for each edge (for tests)."),
      checked(text<&C::listen, &C::Listen::path>("listen", "path", "Where consumers open their WebSocket."), absolute_path),
      list<&C::listen, &C::Listen::origins>("listen", "origins", "Origins whose pages may connect: \"example.com\" (and what is below it), \"https://app.example.com:8443\" (exactly that), \"*\" (all). Empty: no browser may; consumers that send no Origin are not concerned."),
      integer<&C::listen, &C::Listen::backlog>("listen", "backlog", 1, 65535, "Connections that may wait to be accepted."),
      checked(list<&C::listen, &C::Listen::hosts>("listen", "hosts", "Names that consumers may call this gateway by in their Host header: \"gw.example.com\" (just that), \".example.com\" (it and what is below). Others are refused with 421. Empty: any, which leaves a browser in the inner network open to DNS rebinding where origins are \"*\"."), host_names),
      checked(list<&C::listen, &C::Listen::trusted_proxies>("listen", "trusted_proxies", "Addresses of proxies, like [\"10.0.0.0/8\"], that are believed whose connections they pass on. Empty: none."), address_blocks),
      boolean<&C::listen, &C::Listen::proxy_protocol>("listen", "proxy_protocol", "Connections begin with a PROXY header (version 1 or 2), as a proxy on TCP level sends it. Only trusted_proxies may connect then."),
      choice<&C::listen, &C::Listen::forwarded_header, forwarded_words>("listen", "forwarded_header", "The header in which trusted_proxies name the consumer: none, x-forwarded-for or forwarded (RFC 7239). Name the one that they write: another one they would pass on as the consumer made it up."),
      integer<&C::listen, &C::Listen::ping_interval_s>("listen", "ping_interval_s", 0, 3600, "A consumer that nothing was heard of for so many seconds is pinged. 0: never."),
      integer<&C::listen, &C::Listen::pong_timeout_s>("listen", "pong_timeout_s", 1, 3600, "Seconds after that ping without a word or any progress: the socket is closed with 4003."),
      integer<&C::listen, &C::Listen::idle_timeout_s>("listen", "idle_timeout_s", 0, 86'400, "Seconds without a message from the consumer, pongs aside, after which its socket is closed with 4004. 0: never."),
      boolean<&C::listen, &C::Listen::ready_with_broker>("listen", "ready_with_broker", "/readyz says no while the broker is away. For gateways with brokers of their own: where all have the same, none would be ready."),
      boolean<&C::listen, &C::Listen::compression>("listen", "compression", "Offers permessage-deflate (RFC 7692) to consumers that ask for it. Costs CPU, and memory per socket if compression_context_takeover is set too."),
      integer<&C::listen, &C::Listen::compression_window_bits>("listen", "compression_window_bits", 9, 15, "How far back compression looks, as a power of two."),
      boolean<&C::listen, &C::Listen::compression_context_takeover>("listen", "compression_context_takeover", "Keeps the window from one message to the next, in both directions: smaller messages, and about 5 * 2^compression_window_bits + 30000 bytes more for each socket."),

      boolean<&C::lines, &C::Lines::enabled>("lines", "enabled", "Takes consumers that speak JSON lines over TCP: one message a line, a token in the first."),
      checked(text<&C::lines, &C::Lines::address>("lines", "address", "The address that every edge listens on for them."), not_empty),
      integer<&C::lines, &C::Lines::port>("lines", "port", 0, 65535, "The port, shared by all edges. 0: a free one for each edge (for tests)."),
      checked(text<&C::lines, &C::Lines::service_name>("lines", "service_name", "The gateway's name as a service on the mesh for these consumers: their requests come from it, and its methods reach them only. Another than gateway.service."), service_name),
      boolean<&C::lines, &C::Lines::tls>("lines", "tls", "Speaks TLS, with the certificates and rules of [tls]."),
      integer<&C::lines, &C::Lines::first_line_ms>("lines", "first_line_ms", 100, 600'000, "How long a consumer may take to send its first line, in which its token is. auth.first_message_waiting bounds how many may owe theirs."),

      path_list<&C::tls, &C::Tls::certificate_files>("tls", "certificate_files", "Certificates of this gateway (PEM, each followed by its chain). The name that a consumer asks for (SNI) chooses; the first is for all other names. Empty: no TLS. Read again on SIGHUP to an edge."),
      path_list<&C::tls, &C::Tls::key_files>("tls", "key_files", "The key of each certificate (PEM, without a password), in the same order."),
      choice<&C::tls, &C::Tls::min_version, tls_versions>("tls", "min_version", "The lowest version of TLS: 1.2 or 1.3."),
      checked(text<&C::tls, &C::Tls::ciphers>("tls", "ciphers", "Ciphers of TLS 1.2 (OpenSSL's names). Those of TLS 1.3 are OpenSSL's own choice."), not_empty),
      choice<&C::tls, &C::Tls::client_certificates, client_certificate_words>("tls", "client_certificates", "none, optional or required: certificates of consumers, verified against client_ca_file. Where a consumer sends no token, the certificate's name stands for it."),
      path<&C::tls, &C::Tls::client_ca_file>("tls", "client_ca_file", "Certificates that consumers' must be signed by (PEM). Read again on SIGHUP to an edge."),
      choice<&C::tls, &C::Tls::client_name, client_names>("tls", "client_name", "What of a consumer's certificate is its name: cn (of the subject), or the first dns, email or uri among the alternative names."),

      integer<&C::limits, &C::Limits::connections>("limits", "connections", 1, 1'000'000, "Sockets per edge; one more is refused with 503 and Retry-After, or under TLS closed before its handshake."),
      integer<&C::limits, &C::Limits::connections_per_ip>("limits", "connections_per_ip", 0, 1'000'000, "Of those, sockets of one address (an IPv6 /64 counts as one), counted by each edge on its own. Set listen.trusted_proxies behind a proxy, or all consumers count as one. 0: no limit."),
      integer<&C::limits, &C::Limits::new_connections_per_s>("limits", "new_connections_per_s", 0, 1'000'000, "New connections that each edge takes in a second; as many more may come at once after a quiet time. 0: no limit."),
      integer<&C::limits, &C::Limits::request_line_bytes>("limits", "request_line_bytes", 256, 65'536, "The first line of a handshake; a longer one is refused with 414."),
      integer<&C::limits, &C::Limits::header_bytes>("limits", "header_bytes", 1024, 65'536, "A handshake's request line and headers together; more are refused with 431."),
      integer<&C::limits, &C::Limits::headers>("limits", "headers", 10, 1000, "How many headers a handshake may have; more are refused with 431."),
      integer<&C::limits, &C::Limits::message_bytes>("limits", "message_bytes", 1024, 256 << 20, "The largest message from or to a consumer. Both rings must hold two of them."),
      integer<&C::limits, &C::Limits::pending_per_session>("limits", "pending_per_session", 1, 1'000'000, "Requests that one socket may have outstanding."),
      integer<&C::limits, &C::Limits::send_queue_bytes>("limits", "send_queue_bytes", 4096, 1 << 30, "What may wait for a consumer that reads slowly, before its socket is closed with 4001."),
      integer<&C::limits, &C::Limits::handshake_ms>("limits", "handshake_ms", 100, 600'000, "How long a connection may take to become a WebSocket."),
      integer<&C::limits, &C::Limits::json_depth>("limits", "json_depth", 8, 1024, "Arrays and objects inside one another."),
      rate<&C::Limits::connection, &Rates::messages_per_s>("messages_per_s", "Messages a second from one socket; more are refused, and who does not mend is closed with 4005. 0: no limit."),
      rate<&C::Limits::connection, &Rates::messages_burst>("messages_burst", "How many may come at once. 0: one second's worth."),
      rate<&C::Limits::connection, &Rates::bytes_per_s>("bytes_per_s", "Bytes a second from one socket, likewise. 0: no limit."),
      rate<&C::Limits::connection, &Rates::bytes_burst>("bytes_burst", "How many may come at once. 0: one second's worth."),
      integer<&C::limits, &C::Limits::connections_per_user>("limits", "connections_per_user", 0, 1'000'000, "Sockets of one user on all edges together; one more is closed with 4006. 0: no limit."),
      rate<&C::Limits::user, &Rates::messages_per_s>("user_messages_per_s", "Messages a second from all sockets of one user together; more are refused, and who does not mend is closed with 4005. 0: no limit."),
      rate<&C::Limits::user, &Rates::messages_burst>("user_messages_burst", "How many may come at once. 0: one second's worth."),
      rate<&C::Limits::user, &Rates::bytes_per_s>("user_bytes_per_s", "Bytes a second from all sockets of one user together, likewise. 0: no limit."),
      rate<&C::Limits::user, &Rates::bytes_burst>("user_bytes_burst", "How many may come at once. 0: one second's worth."),

      integer<&C::request, &C::Request::ttl_ms>("request", "ttl_ms", 1, day_ms, "How long a consumer waits for an answer unless its request says otherwise; then NuropbTimeoutError."),
      integer<&C::request, &C::Request::max_ttl_ms>("request", "max_ttl_ms", 1, day_ms, "The longest wait that a request may ask for."),
      boolean<&C::request, &C::Request::encryption>("request", "encryption", "Encrypts requests and commands where the service's description says that the method requires it, so the first one to a service waits for that description. false: no description is asked for, and everything goes in plain."),

      checked(integer<&C::rings, &C::Rings::request_bytes>("rings", "request_bytes", 4096, 1 << 30, "Size of each edge's request ring, a power of two."), power_of_two),
      checked(integer<&C::rings, &C::Rings::return_bytes>("rings", "return_bytes", 4096, 1 << 30, "Size of each edge's return ring, a power of two."), power_of_two),

      amqp_urls(),
      integer<&C::amqp, &C::Amqp::heartbeat_s>("amqp", "heartbeat_s", 1, 3600, "AMQP heartbeats, in seconds: after two of them without a word the broker counts as gone."),
      integer<&C::amqp, &C::Amqp::connect_timeout_ms>("amqp", "connect_timeout_ms", 100, 600'000, "How long connecting to one address may take."),
      integer<&C::amqp, &C::Amqp::reconnect_min_ms>("amqp", "reconnect_min_ms", 10, 600'000, "First pause before connecting again; it doubles with every failure."),
      integer<&C::amqp, &C::Amqp::reconnect_max_ms>("amqp", "reconnect_max_ms", 10, 600'000, "The longest pause."),
      integer<&C::amqp, &C::Amqp::queued_bytes>("amqp", "queued_bytes", 1 << 20, u32_max, "Messages that may wait in meshd to be published; beyond it edges stop reading from their sockets."),
      path<&C::amqp, &C::Amqp::password_file>("amqp", "password_file", "A file with the password, or token, in place of the URLs': read at each connecting, and a changed one is taken up while connected. Empty: the URLs'."),
      path<&C::amqp, &C::Amqp::ca_file>("amqp", "ca_file", "amqps: certificates that the broker's must be signed by (PEM). Empty: the system's."),
      path<&C::amqp, &C::Amqp::certificate_file>("amqp", "certificate_file", "amqps: our own certificate, where the broker asks for one (PEM)."),
      path<&C::amqp, &C::Amqp::key_file>("amqp", "key_file", "amqps: the key of certificate_file (PEM)."),
      boolean<&C::amqp, &C::Amqp::verify_peer>("amqp", "verify_peer", "amqps: false accepts any certificate and any host name. Never in production."),
      checked(text<&C::amqp, &C::Amqp::rpc_exchange>("amqp", "rpc_exchange", "Exchange of requests and commands."), exchange_name),
      checked(text<&C::amqp, &C::Amqp::events_exchange>("amqp", "events_exchange", "Exchange of events."), exchange_name),
      checked(text<&C::amqp, &C::Amqp::dl_exchange>("amqp", "dl_exchange", "Dead-letter exchange."), exchange_name),
      integer<&C::amqp, &C::Amqp::prefetch>("amqp", "prefetch", 1, 65535, "Unacknowledged messages that the gateway's own service queue may have."),
      integer<&C::amqp, &C::Amqp::response_queue_expires_ms>("amqp", "response_queue_expires_ms", 1000, day_ms, "How long the broker keeps our response queue while meshd is away."),
      management_url(),

      checked(list<&C::etcd, &C::Etcd::urls>("etcd", "urls", "Members of an etcd cluster, like [\"http://10.0.0.7:2379\"], by which the gateways of one name elect a leader. Empty: none, each stands alone."), etcd_urls),
      checked(text<&C::etcd, &C::Etcd::prefix>("etcd", "prefix", "What keys begin with; the service's name follows. Other NuroPb services use /nuropb."), etcd_prefix),
      integer<&C::etcd, &C::Etcd::lease_s>("etcd", "lease_s", 2, 3600, "How long, in seconds, a leader that is gone stays the leader."),
      text<&C::etcd, &C::Etcd::user>("etcd", "user", "The user, where etcd asks for one."),
      path<&C::etcd, &C::Etcd::password_file>("etcd", "password_file", "A file with that user's password and nothing else."),
      path<&C::etcd, &C::Etcd::ca_file>("etcd", "ca_file", "https: certificates that etcd's must be signed by (PEM). Empty: the system's."),
      path<&C::etcd, &C::Etcd::certificate_file>("etcd", "certificate_file", "https: our own certificate, where etcd asks for one (PEM)."),
      path<&C::etcd, &C::Etcd::key_file>("etcd", "key_file", "https: the key of certificate_file (PEM)."),
      boolean<&C::etcd, &C::Etcd::verify_peer>("etcd", "verify_peer", "https: false accepts any certificate and any host name. Never in production."),

      path<&C::auth, &C::Auth::token_file>("auth", "token_file", "Static tokens and their users (TOML). Read again on SIGHUP to meshd."),
      checked(text<&C::auth, &C::Auth::header>("auth", "header", "Header in which a consumer sends its bearer token."), not_empty),
      text<&C::auth, &C::Auth::cookie>("auth", "cookie", "Cookie looked at where that header is missing. Empty: none."),
      integer<&C::auth, &C::Auth::verdict_timeout_ms>("auth", "verdict_timeout_ms", 100, 600'000, "How long a new socket waits for the verdict on its token; then it is closed with 4002."),
      path<&C::auth, &C::Auth::policy_file>("auth", "policy_file", "Who may use which services, methods, topics and verbs (TOML). Empty: everyone may make requests, and nothing else. Read again on SIGHUP to meshd."),
      text<&C::auth, &C::Auth::context_user_key>("auth", "context_user_key", "Key under which services find the user id in the context. Empty: they don't get it."),
      text<&C::auth, &C::Auth::context_token_key>("auth", "context_token_key", "Key under which services find the token in the context (nuropb-gw's spelling). Empty: they don't get it."),
      text<&C::auth, &C::Auth::context_claims_key>("auth", "context_claims_key", "Key under which services find the user's claims in the context. Empty: they don't get them."),

      checked(list<&C::auth, &C::Auth::authorizers>("auth", "authorizers", "Who judges tokens, in this order, until one knows the token: \"tokens\" (token_file), \"jwt\", \"introspection\", \"mesh\" (mesh_service), \"session_cookie\", \"client_certificate\"."), authorizer_names),
      path<&C::auth, &C::Auth::revoked_file>("auth", "revoked_file", "Users who may not connect, whatever their token says: a user id a line. Read again on SIGHUP to meshd, which closes their sockets with 4502."),
      text<&C::auth, &C::Auth::session_cookie>("auth", "session_cookie", "Cookie with a Tornado signed value, as nuropb-gw sets it, looked at last. Empty: none. Needs the authorizer \"session_cookie\"."),
      boolean<&C::auth, &C::Auth::subprotocol>("auth", "subprotocol", "Takes a token from Sec-WebSocket-Protocol, for browsers, which can set no header: \"nuropb, bearer.<token>\"."),
      boolean<&C::auth, &C::Auth::first_message>("auth", "first_message", "Lets a consumer without a token in; its first message has to be an authorize with one."),
      integer<&C::auth, &C::Auth::first_message_ms>("auth", "first_message_ms", 100, 600'000, "How long that message may take; then the socket is closed with 4402."),
      integer<&C::auth, &C::Auth::first_message_waiting>("auth", "first_message_waiting", 1, 1'000'000, "Sockets per edge that may owe that message; one more is refused with 503."),
      text<&C::auth, &C::Auth::query>("auth", "query", "Query parameter that may hold the token, like \"access_token\". Addresses end up in logs and histories: for clients that can do nothing else. Empty: none."),
      integer<&C::auth, &C::Auth::expiry_warning_s>("auth", "expiry_warning_s", 0, 86'400, "How long before its token expires a consumer is told, in seconds. 0: it is not told."),
      integer<&C::auth, &C::Auth::queued>("auth", "queued", 1, 1'000'000, "Tokens that may wait for a thread that judges; one more is refused with 4002."),
      text<&C::auth, &C::Auth::mesh_service>("auth", "mesh_service", "Authorizer \"mesh\": the service whose method judges."),
      checked(text<&C::auth, &C::Auth::mesh_method>("auth", "mesh_method", "That method; it gets {\"token\"} and returns the user, or null."), not_empty),
      integer<&C::auth, &C::Auth::mesh_timeout_ms>("auth", "mesh_timeout_ms", 100, 600'000, "How long it may take."),
      integer<&C::auth, &C::Auth::cache_s>("auth", "cache_s", 0, 86'400, "How long, in seconds, a good verdict of introspection or mesh holds; never beyond the token's expiry."),
      integer<&C::auth, &C::Auth::negative_cache_s>("auth", "negative_cache_s", 0, 86'400, "The same for a bad one."),
      integer<&C::auth, &C::Auth::cache_entries>("auth", "cache_entries", 1, 10'000'000, "Verdicts that each of the two keeps."),

      checked(list<&C::jwt, &C::Jwt::algorithms>("jwt", "algorithms", "Algorithms that count. HS256, HS384 and HS512, with a secret, have to be named."), jwt_algorithms),
      path<&C::jwt, &C::Jwt::key_file>("jwt", "key_file", "Public keys and certificates (PEM). Read again on SIGHUP to meshd, like the next two."),
      path<&C::jwt, &C::Jwt::secret_file>("jwt", "secret_file", "Secrets for HS256 to HS512, one a line, of at least 32 bytes."),
      path<&C::jwt, &C::Jwt::jwks_file>("jwt", "jwks_file", "A JSON Web Key Set."),
      checked(text<&C::jwt, &C::Jwt::jwks_url>("jwt", "jwks_url", "Where the issuer publishes its key set. Fetched at the start, for a key that is not known, and every jwks_refresh_s; the last good set stays in force while it can't be."), plain_http_url),
      path<&C::jwt, &C::Jwt::jwks_ca_file>("jwt", "jwks_ca_file", "https: certificates that its server's must be signed by (PEM). Empty: the system's."),
      integer<&C::jwt, &C::Jwt::jwks_timeout_ms>("jwt", "jwks_timeout_ms", 100, 600'000, "How long a fetch may take."),
      integer<&C::jwt, &C::Jwt::jwks_refresh_s>("jwt", "jwks_refresh_s", 1, 86'400, "How old, in seconds, the set may become."),
      integer<&C::jwt, &C::Jwt::jwks_retry_s>("jwt", "jwks_retry_s", 1, 3600, "The shortest pause, in seconds, between two fetches; it doubles with every failure, up to five minutes."),
      text<&C::jwt, &C::Jwt::issuer>("jwt", "issuer", "Tokens of another issuer (iss) are not ours. Empty: any."),
      list<&C::jwt, &C::Jwt::audience>("jwt", "audience", "A token's aud must name one of these. Empty: tokens with an aud are refused (RFC 7519)."),
      integer<&C::jwt, &C::Jwt::leeway_s>("jwt", "leeway_s", 0, 3600, "How far, in seconds, the issuer's clock may be from ours."),
      boolean<&C::jwt, &C::Jwt::require_exp>("jwt", "require_exp", "Refuses tokens that never expire."),
      checked(text<&C::jwt, &C::Jwt::user_claim>("jwt", "user_claim", "Claim that is the user id. Dots lead into objects: \"a.b\"."), not_empty),
      text<&C::jwt, &C::Jwt::username_claim>("jwt", "username_claim", "Claim that is the user's name."),
      text<&C::jwt, &C::Jwt::roles_claim>("jwt", "roles_claim", "Claim with the roles for the policy: a list, or a text with spaces between them. \"realm_access.roles\", \"scope\"."),
      list<&C::jwt, &C::Jwt::claims>("jwt", "claims", "Claims that are kept for policy and context. Empty: all."),

      path<&C::cookie, &C::Cookie::secret_file>("cookie", "secret_file", "The cookie_secret that signs session cookies; further lines hold former ones, which still count. Read again on SIGHUP to meshd."),
      integer<&C::cookie, &C::Cookie::max_age_days>("cookie", "max_age_days", 1, 3650, "How old a session cookie may be; 31 days in Tornado."),

      checked(text<&C::introspection, &C::Introspection::url>("introspection", "url", "The authorization server's introspection endpoint (RFC 7662)."), plain_http_url),
      text<&C::introspection, &C::Introspection::client_id>("introspection", "client_id", "Who we are to it."),
      path<&C::introspection, &C::Introspection::client_secret_file>("introspection", "client_secret_file", "A file with our secret in its first line."),
      path<&C::introspection, &C::Introspection::ca_file>("introspection", "ca_file", "https: certificates that its server's must be signed by (PEM). Empty: the system's."),
      integer<&C::introspection, &C::Introspection::timeout_ms>("introspection", "timeout_ms", 100, 600'000, "How long an answer may take; then the socket is closed with 4002."),
      integer<&C::introspection, &C::Introspection::threads>("introspection", "threads", 1, 64, "Questions at a time."),
      checked(text<&C::introspection, &C::Introspection::user_claim>("introspection", "user_claim", "Member of the answer that is the user id."), not_empty),
      text<&C::introspection, &C::Introspection::username_claim>("introspection", "username_claim", "Member that is the user's name."),
      text<&C::introspection, &C::Introspection::roles_claim>("introspection", "roles_claim", "Member with the roles for the policy."),
      list<&C::introspection, &C::Introspection::claims>("introspection", "claims", "Members that are kept for policy and context. Empty: all."),

      integer<&C::events, &C::Events::subscriptions_per_session>("events", "subscriptions_per_session", 1, 100'000, "Topic patterns that one socket may be subscribed to."),
      boolean<&C::events, &C::Events::forward_context>("events", "forward_context", "Whether consumers see the context of events: whatever their publishers put there, tokens of other gateways' users among it."),
      checked(list<&C::events, &C::Events::when_full>("events", "when_full", "What becomes of events for a socket whose limits.send_queue_bytes are full, by topic, the first match counting: \"prices.# latest\" keeps the last event of each topic, \"ticks.# drop_oldest\" leaves out the oldest, \"orders.# close\", like all others, closes the socket with 4001."), queue_rules),

      checked(text<&C::snorky, &C::Snorky::path>("snorky", "path", "Where consumers that speak Snorky's protocol open their WebSocket, on the same port: \"/ws\". Empty: nowhere."), absolute_path_or_empty),
      boolean<&C::snorky, &C::Snorky::anonymous>("snorky", "anonymous", "Lets consumers without a token in there: as nobody, to Snorky's services only."),
      path<&C::snorky, &C::Snorky::services_file>("snorky", "services_file", "Which services there are, for consumers and for backends (TOML). Empty: pubsub, to which no consumer may publish, and its pubsub_backend."),
      integer<&C::snorky, &C::Snorky::channels_per_session>("snorky", "channels_per_session", 1, 100'000, "Channels, or names, of one service that one socket may have."),

      path<&C::backend, &C::Backend::key_file>("backend", "key_file", "Keys of backends, which POST to /backend (TOML). Empty: nobody listens there. Read again on SIGHUP to meshd."),
      checked(text<&C::backend, &C::Backend::address>("backend", "address", "The address that every edge listens on for backends."), not_empty),
      integer<&C::backend, &C::Backend::port>("backend", "port", 0, 65535, "The port, shared by all edges. 0: a free one for each edge (for tests)."),
      integer<&C::backend, &C::Backend::connections>("backend", "connections", 1, 65535, "Connections of backends per edge; one more is refused with 503."),
      integer<&C::backend, &C::Backend::timeout_ms>("backend", "timeout_ms", 100, 600'000, "How long a backend may take to send its request, to read its answer, or to come with the next one; and how long it waits for an answer."),

      integer<&C::push, &C::Push::timeout_ms>("push", "timeout_ms", 100, 60'000, "How long a send or close waits for edges and other gateways to say how many connections took it; who has not said so by then is named."),
      integer<&C::push, &C::Push::presence_ms>("push", "presence_ms", 100, 60'000, "How often gateways of one service tell one another that they live. Who is silent for three and a half times that is not waited for."),

      boolean<&C::resume, &C::Resume::enabled>("resume", "enabled", "Whether consumers may ask for their messages to be kept, and take up a lost session with the token of their hello."),
      integer<&C::resume, &C::Resume::window_ms>("resume", "window_ms", 100, 3'600'000, "How long a session whose socket was lost waits for its consumer to come back, to any edge."),
      integer<&C::resume, &C::Resume::mailbox_bytes>("resume", "mailbox_bytes", 4096, 1 << 30, "What is kept for one session that asked for it: the last of its messages, until it says that it has seen them. Who missed more can't resume. No more than limits.send_queue_bytes counts."),
      integer<&C::resume, &C::Resume::total_bytes>("resume", "total_bytes", 4096, INT32_MAX, "The same for all sessions together; over it, the user who has most gives way, with their largest mailbox."),
      integer<&C::resume, &C::Resume::sessions>("resume", "sessions", 1, 10'000'000, "Sessions that may wait for their consumers at once; over it, of the user who has most of them the one that has waited longest ends."),

      boolean<&C::console, &C::Console::enabled>("console", "enabled", "Whether edges serve the console: figures, charts and a form to call services (docs/tasks/console.md)."),
      checked(text<&C::console, &C::Console::address>("console", "address", "IP address to listen on. It speaks plain HTTP and takes tokens: beyond this host only behind a proxy with TLS."), not_empty),
      integer<&C::console, &C::Console::port>("console", "port", 0, 65535, "TCP port, shared by all edges; 0: one of its own for each."),
      checked(list<&C::console, &C::Console::hosts>("console", "hosts", "Host names under which the console may be asked for, beside its address and localhost: no other page can reach it by a name of its own (DNS rebinding)."), host_names),
      list<&C::console, &C::Console::users>("console", "users", "User ids whose tokens open the gateway's figures. \"*\": every good token. Empty: nobody's; services can be called all the same, as far as the policy allows."),
      boolean<&C::console, &C::Console::kill_workers>("console", "kill_workers", "Whether these users may kill an edge from the console. For demonstrations."),

      boolean<&C::admin, &C::Admin::tap>("admin", "tap", "Whether operators may watch what consumers ask and are answered (nuropb-ctl tap): names and shapes of messages, no values."),

      integer<&C::drain, &C::Drain::grace_ms>("drain", "grace_ms", 0, 600'000, "How long a stopping edge goes on as before, but for /readyz, so that load balancers send nobody any more. Not where another edge takes its place (SIGHUP)."),
      integer<&C::drain, &C::Drain::spread_ms>("drain", "spread_ms", 0, 600'000, "Over how long sockets are then closed, each at a random moment, so that consumers don't come back all at once. Fewer than 500 sockets for each second take less."),
      integer<&C::drain, &C::Drain::limit_ms>("drain", "limit_ms", 0, 600'000, "How long after that it waits for requests that are pending."),

      checked(text<&C::metrics, &C::Metrics::listen>("metrics", "listen", "Where meshd answers GET /metrics, /healthz and /readyz over TCP, beside its admin socket: \"127.0.0.1:9464\". There is no password: keep it where only those can reach it who may know. Empty: nowhere."), ip_and_port_or_empty),

      checked(text<&C::tracing, &C::Tracing::otlp_url>("tracing", "otlp_url", "Where spans go by OTLP over HTTP, as JSON: \"http://127.0.0.1:4318/v1/traces\". Empty: none are made, and traceparent is passed on as it came."), plain_http_url),
      path<&C::tracing, &C::Tracing::ca_file>("tracing", "ca_file", "https: certificates that the collector's must be signed by (PEM). Empty: the system's."),
      path<&C::tracing, &C::Tracing::headers_file>("tracing", "headers_file", "A file with headers for the collector, \"Name: value\" a line: \"Authorization: Bearer TOKEN\". Read again when it has changed. Empty: none."),
      checked(text<&C::tracing, &C::Tracing::sample_ratio>("tracing", "sample_ratio", "Which part of the requests without a traceparent begins a trace that is exported: \"0.01\" is every hundredth. Of those with one, its sampled flag decides."), ratio),
      integer<&C::tracing, &C::Tracing::timeout_ms>("tracing", "timeout_ms", 100, 60'000, "How long the collector may take to answer."),
      integer<&C::tracing, &C::Tracing::queued_spans>("tracing", "queued_spans", 16, 1'000'000, "Spans that may wait to be sent; those beyond are dropped, and counted."),

      text<&C::hardening, &C::Hardening::edge_user>("hardening", "edge_user", "The user that an edge becomes where root starts it, once it listens. Empty: nuropb-edge or, where there is no such user, nobody."),
      boolean<&C::hardening, &C::Hardening::seccomp>("hardening", "seccomp", "Ends a process that makes a system call it has no use for. False: for debugging only."),
      boolean<&C::hardening, &C::Hardening::core_dumps>("hardening", "core_dumps", "Lets meshd and edges leave core dumps, and debuggers of the same user look at them. Both show what lies in memory: passwords, keys, messages."),

      choice<&C::log, &C::Logging::level, levels>("log", "level", "What is logged: debug, info, warning or error."),
      choice<&C::log, &C::Logging::format, formats>("log", "format", "text for people, json for machines (one object per line)."),
      path<&C::log, &C::Logging::file>("log", "file", "Where the log goes. Empty: standard error."),
      integer<&C::log, &C::Logging::slow_request_ms>("log", "slow_request_ms", 0, day_ms, "A request that takes at least so long is a line in the log of its edge: where the time went, who asked for what, its trace_id. 0: none."),
  };
}
// clang-format on

}  // namespace

std::span<const ConfigSection> config_sections() {
  static constexpr ConfigSection sections[] = {
      {"gateway", "Who this gateway is, and its processes."},
      {"listen", "Where consumers connect."},
      {"lines",
       "Consumers that speak JSON lines over TCP (docs/tasks/lines.md). Limits, authorization, pings' times and "
       "proxies are those of the other sections."},
      {"tls", "TLS on the consumers' side. Only edges use these."},
      {"limits", "What a consumer may cost."},
      {"request", "Requests to services."},
      {"rings", "Shared memory between meshd and each edge."},
      {"amqp", "The broker. Only meshd uses these.", true},
      {"etcd", "Leader election among gateways of one name. Only meshd uses these.", true},
      {"auth", "Who may connect. Tokens are judged by meshd, never by an edge."},
      {"jwt", "JSON Web Tokens, for the authorizer \"jwt\".", true},
      {"cookie", "Signed session cookies, for the authorizer \"session_cookie\".", true},
      {"introspection", "OAuth token introspection, for the authorizer \"introspection\".", true},
      {"events", "Events of the mesh, for consumers that subscribe to them."},
      {"snorky", "Snorky's protocol: services of the gateway's own, for consumers."},
      {"backend", "Backend HTTP, for servers of yours that publish to consumers. Edges listen, meshd judges the keys."},
      {"console", "A page in the browser for whoever runs the gateway, or tries it."},
      {"admin", "What operators may do on meshd's socket beyond the usual.", true},
      {"push", "Messages from services, backends and operators to consumers; closing them."},
      {"resume", "Taking up a session whose socket was lost, without missing a message."},
      {"drain", "Stopping."},
      {"metrics", "What meshd tells of the whole gateway (docs/tasks/metrics.md).", true},
      {"tracing", "Spans of requests, by OpenTelemetry (docs/tasks/metrics.md). Only meshd uses these.", true},
      {"hardening", "What the processes may do once they run (docs/tasks/hardening.md)."},
      {"log", "Logs never contain a token or a password."},
  };
  return sections;
}

std::span<const ConfigKey> config_keys() {
  static const std::vector<ConfigKey> keys = make_keys();
  return keys;
}

const ConfigKey* find_config_key(std::string_view section, std::string_view name) {
  for (const ConfigKey& key : config_keys()) {
    if (key.section == section && key.name == name) return &key;
  }
  return nullptr;
}

}  // namespace nuropb
