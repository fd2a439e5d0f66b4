// The table of all keys.

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
constexpr std::array<std::string_view, 3> dead_letter_queues{"auto", "transient", "durable"};
constexpr std::array<std::string_view, 3> queue_types{"classic", "quorum", "vhost"};
constexpr std::array<std::string_view, 4> client_names{"cn", "dns", "email", "uri"};

ConfigKey management_url() {
  ConfigKey key = text<&Config::amqp, &Config::Amqp::management_url>(
      "amqp", "management_url",
      "RabbitMQ's management, over which a missing virtual host is made. Empty: the AMQP host at port + 10000, with "
      "the same user.");
  key.secret = true;
  key.check = base_url_or_empty;
  return key;
}

ConfigKey amqp_urls() {
  ConfigKey key = list<&Config::amqp, &Config::Amqp::urls>(
      "amqp", "urls", "The broker's addresses, amqp:// or amqps://, tried in turn: the nodes of one cluster.");
  key.secret = true;
  key.check = broker_urls;
  return key;
}

// One line per key.
// clang-format off
std::vector<ConfigKey> make_keys() {
  using C = Config;
  return {
      checked(text<&C::gateway, &C::Gateway::service>("gateway", "service", "The gateway's own name as a service on the mesh."), service_name),
      checked(text<&C::gateway, &C::Gateway::instance>("gateway", "instance", "The instance id that tells this gateway from others of the same service. Empty: meshd generates one and keeps it in runtime_dir."), instance_id),
      checked(path<&C::gateway, &C::Gateway::runtime_dir>("gateway", "runtime_dir", "Folder for the control socket, the secret that seals tickets, and the instance id. meshd creates it with mode 0700."), not_empty),
      choice<&C::gateway, &C::Gateway::mesh, mesh_words>("gateway", "mesh", "rabbitmq; or loopback, for trials and measurements: there is no broker, every service exists, and every method answers with its parameters."),
      integer<&C::gateway, &C::Gateway::edges>("gateway", "edges", 1, 200, "Number of edges that the launcher starts. One for each core that client connections may use is a good start."),
      integer<&C::gateway, &C::Gateway::max_workers>("gateway", "max_workers", 1, 200, "Largest number of edges that meshd accepts. While edges are replaced one by one there is one more than `edges`."),
      integer<&C::gateway, &C::Gateway::hung_after_s>("gateway", "hung_after_s", 2, 3600, "An edge that shows no sign of life for this many seconds is killed, and the launcher starts another."),

      checked(text<&C::listen, &C::Listen::address>("listen", "address", "IP address that every edge listens on. 0.0.0.0 or :: means all addresses."), ip_address),
      integer<&C::listen, &C::Listen::port>("listen", "port", 0, 65535, "TCP port, shared by all edges. 0: each edge takes a free port of its own (for tests)."),
      checked(text<&C::listen, &C::Listen::path>("listen", "path", "Path at which clients open their WebSocket."), absolute_path),
      checked(list<&C::listen, &C::Listen::origins>("listen", "origins", "Web origins whose pages may connect: \"example.com\" (and its subdomains), \"https://app.example.com:8443\" (exactly this one), \"*\" (all). Empty: no browser may connect; clients that send no Origin header are not affected."), origins),
      integer<&C::listen, &C::Listen::backlog>("listen", "backlog", 1, 65535, "Number of connections that may wait to be accepted."),
      checked(list<&C::listen, &C::Listen::hosts>("listen", "hosts", "Names that clients may use for this gateway in their Host header: \"gw.example.com\" (this name only), \".example.com\" (this name and its subdomains). Other names are refused with 421. Empty: any name, which allows DNS rebinding from a browser in the inner network if origins is \"*\"."), host_names),
      checked(list<&C::listen, &C::Listen::trusted_proxies>("listen", "trusted_proxies", "Addresses of proxies, like [\"10.0.0.0/8\"], whose statement of the client's address is trusted. Empty: none."), address_blocks),
      boolean<&C::listen, &C::Listen::proxy_protocol>("listen", "proxy_protocol", "Connections begin with a PROXY header (version 1 or 2), as a proxy at the TCP level sends it. Then only trusted_proxies may connect."),
      choice<&C::listen, &C::Listen::forwarded_header, forwarded_words>("listen", "forwarded_header", "Header in which trusted_proxies name the client: none, x-forwarded-for or forwarded (RFC 7239). Set the header that your proxy overwrites; with any other one, clients can forge their address."),
      integer<&C::listen, &C::Listen::ping_interval_s>("listen", "ping_interval_s", 0, 3600, "A client that has been silent for this many seconds is sent a ping. 0: never."),
      integer<&C::listen, &C::Listen::pong_timeout_s>("listen", "pong_timeout_s", 1, 3600, "Seconds after that ping within which the client has to send something or make progress; otherwise its socket is closed with 4003."),
      integer<&C::listen, &C::Listen::idle_timeout_s>("listen", "idle_timeout_s", 0, 86'400, "Seconds without a message from the client, not counting pongs, after which its socket is closed with 4004. 0: never."),
      boolean<&C::listen, &C::Listen::ready_with_broker>("listen", "ready_with_broker", "/readyz answers 503 while the broker is unavailable. Leave it off where several gateways share a broker, or all of them become unready at once."),
      boolean<&C::listen, &C::Listen::compression>("listen", "compression", "Offers permessage-deflate (RFC 7692) to clients that ask for it. It costs CPU, and memory for each socket if compression_context_takeover is set too."),
      integer<&C::listen, &C::Listen::compression_window_bits>("listen", "compression_window_bits", 9, 15, "Size of the compression window, as a power of two, in bytes."),
      boolean<&C::listen, &C::Listen::compression_context_takeover>("listen", "compression_context_takeover", "Keeps the compression window from one message to the next, in both directions. Messages become smaller, and each socket takes about 5 * 2^compression_window_bits + 30000 bytes more."),

      boolean<&C::http, &C::Http::enabled>("http", "enabled", "Accepts calls over HTTP at the port of the WebSockets: /call/, /command/, /event/ and /services/. Tokens, policy and limits are the same."),
      integer<&C::http, &C::Http::keep_alive_s>("http", "keep_alive_s", 1, 3600, "Seconds for which a connection stays open between two requests. A proxy in front should close its idle connections earlier."),

      boolean<&C::lines, &C::Lines::enabled>("lines", "enabled", "Accepts clients that speak JSON lines over TCP: one message on each line, and a token in the first."),
      checked(text<&C::lines, &C::Lines::address>("lines", "address", "IP address that every edge listens on for these clients."), ip_address),
      integer<&C::lines, &C::Lines::port>("lines", "port", 0, 65535, "TCP port, shared by all edges. 0: each edge takes a free port of its own (for tests)."),
      checked(text<&C::lines, &C::Lines::service_name>("lines", "service_name", "The gateway's name as a service on the mesh for these clients: their requests come from it, and its methods reach only them. It differs from gateway.service."), service_name),
      boolean<&C::lines, &C::Lines::tls>("lines", "tls", "Uses TLS, with the certificates and rules of [tls]."),
      integer<&C::lines, &C::Lines::first_line_ms>("lines", "first_line_ms", 100, 600'000, "Time within which a client has to send its first line, which holds its token. auth.first_message_waiting bounds the number of clients that have not sent it yet."),

      path_list<&C::tls, &C::Tls::certificate_files>("tls", "certificate_files", "Certificates of this gateway (PEM, each followed by its chain). The name that a client asks for (SNI) selects one; the first is used for all other names. Empty: no TLS. Read again on SIGHUP to an edge."),
      path_list<&C::tls, &C::Tls::key_files>("tls", "key_files", "Private keys of the certificates (PEM, without a password), in the same order."),
      choice<&C::tls, &C::Tls::min_version, tls_versions>("tls", "min_version", "Lowest version of TLS: 1.2 or 1.3."),
      checked(text<&C::tls, &C::Tls::ciphers>("tls", "ciphers", "Ciphers of TLS 1.2 (OpenSSL's names). OpenSSL chooses those of TLS 1.3."), not_empty),
      choice<&C::tls, &C::Tls::client_certificates, client_certificate_words>("tls", "client_certificates", "none, optional or required: certificates of clients, verified against client_ca_file. If a client sends no token, the name in its certificate is its credential."),
      path<&C::tls, &C::Tls::client_ca_file>("tls", "client_ca_file", "Certificate authorities that have to have signed the clients' certificates (PEM). Read again on SIGHUP to an edge."),
      path<&C::tls, &C::Tls::client_crl_file>("tls", "client_crl_file", "Revocation lists (PEM): one of each authority in a client's chain, the root's included. A client whose certificate is on one, or whose authority has no list here that is still valid, is refused. Empty: no certificate counts as revoked. Read again on SIGHUP to an edge."),
      choice<&C::tls, &C::Tls::client_name, client_names>("tls", "client_name", "Which part of a client's certificate is its name: cn (of the subject), or the first dns, email or uri of the alternative names."),

      integer<&C::limits, &C::Limits::connections>("limits", "connections", 1, 1'000'000, "Sockets for each edge. A further connection is refused with 503 and Retry-After, or with TLS is closed before its handshake."),
      integer<&C::limits, &C::Limits::connections_per_ip>("limits", "connections_per_ip", 0, 1'000'000, "Sockets of one address (an IPv6 /64 counts as one), counted by each edge on its own. Behind a proxy, set listen.trusted_proxies, or all clients count as one address. 0: no limit."),
      integer<&C::limits, &C::Limits::new_connections_per_s>("limits", "new_connections_per_s", 0, 1'000'000, "New connections per second for each edge. A burst of one second's worth is allowed. 0: no limit."),
      integer<&C::limits, &C::Limits::request_line_bytes>("limits", "request_line_bytes", 256, 65'536, "Bytes of a handshake's request line. A longer one is refused with 414."),
      integer<&C::limits, &C::Limits::header_bytes>("limits", "header_bytes", 1024, 65'536, "Bytes of a handshake's request line and headers together. More are refused with 431."),
      integer<&C::limits, &C::Limits::headers>("limits", "headers", 10, 1000, "Number of headers in a handshake. More are refused with 431."),
      integer<&C::limits, &C::Limits::message_bytes>("limits", "message_bytes", 1024, 256 << 20, "Bytes of the largest message from or to a client. Each ring has to have room for two of them."),
      integer<&C::limits, &C::Limits::pending_per_session>("limits", "pending_per_session", 1, 1'000'000, "Requests of one socket that may be waiting for their answers."),
      integer<&C::limits, &C::Limits::send_queue_bytes>("limits", "send_queue_bytes", 4096, 1 << 30, "Bytes that may wait for a client that reads slowly. Beyond that its socket is closed with 4001."),
      integer<&C::limits, &C::Limits::handshake_ms>("limits", "handshake_ms", 100, 600'000, "Time within which a connection has to complete its handshake."),
      integer<&C::limits, &C::Limits::memory_bytes>("limits", "memory_bytes", 1 << 20, u32_max, "Bytes, for each edge, of unfinished messages and of messages that wait to be read, of all its sockets together. Beyond that, the user with the most bytes loses the largest sockets, which are closed with 1009 or 4001."),
      integer<&C::limits, &C::Limits::message_ms>("limits", "message_ms", 100, 3'600'000, "Time within which all parts of one message have to arrive. Then the socket is closed with 4004."),
      integer<&C::limits, &C::Limits::control_frames_per_s>("limits", "control_frames_per_s", 0, 1'000'000, "Pings, pongs and parts of messages per second from one socket; one part for each KiB of a message is free. Ten times as many may arrive at once. Beyond that, the socket is closed with 4005. 0: no limit."),
      integer<&C::limits, &C::Limits::refused_tokens_per_s>("limits", "refused_tokens_per_s", 0, 100'000, "Refused tokens per second of one address, counted by each edge on its own. A hundred times as many may be refused at once. Beyond that, new connections of that address get 429 or close code 4006, except with tokens that were accepted lately. 0: no limit."),
      integer<&C::limits, &C::Limits::json_depth>("limits", "json_depth", 8, 512, "Depth to which arrays and objects may be nested in a client's message."),
      integer<&C::limits, &C::Limits::number_bytes>("limits", "number_bytes", 32, 4300, "Bytes of one number in a client's JSON. The JSON parsers of some services fail on longer numbers."),
      rate<&C::Limits::connection, &Rates::messages_per_s>("messages_per_s", "Messages per second from one socket. More are refused, and a client that keeps exceeding the rate is closed with 4005. 0: no limit."),
      rate<&C::Limits::connection, &Rates::messages_burst>("messages_burst", "Messages that may arrive at once. 0: those of one second."),
      rate<&C::Limits::connection, &Rates::bytes_per_s>("bytes_per_s", "Bytes per second from one socket, with the same consequences. 0: no limit."),
      rate<&C::Limits::connection, &Rates::bytes_burst>("bytes_burst", "Bytes that may arrive at once. 0: those of one second."),
      integer<&C::limits, &C::Limits::connections_per_user>("limits", "connections_per_user", 0, 1'000'000, "Sockets of one user on all edges together. A further one is closed with 4006. 0: no limit."),
      rate<&C::Limits::user, &Rates::messages_per_s>("user_messages_per_s", "Messages per second from all sockets of one user together. More are refused, and a client that keeps exceeding the rate is closed with 4005. 0: no limit."),
      rate<&C::Limits::user, &Rates::messages_burst>("user_messages_burst", "Messages that may arrive at once. 0: those of one second."),
      rate<&C::Limits::user, &Rates::bytes_per_s>("user_bytes_per_s", "Bytes per second from all sockets of one user together, with the same consequences. 0: no limit."),
      rate<&C::Limits::user, &Rates::bytes_burst>("user_bytes_burst", "Bytes that may arrive at once. 0: those of one second."),
      integer<&C::limits, &C::Limits::pending_per_user>("limits", "pending_per_user", 0, 100'000'000, "Requests and commands of one user, over all edges, that have no answer and whose ttl has not passed; those whose socket is gone count too. A further one is refused. 0: no limit."),
      integer<&C::limits, &C::Limits::pending_user_bytes>("limits", "pending_user_bytes", 0, u32_max, "Bytes of these requests and commands of one user, which the user may leave in the queues of services that do not answer. 0: no limit."),

      integer<&C::request, &C::Request::ttl_ms>("request", "ttl_ms", 1, day_ms, "Time that a client waits for an answer unless its request names another; then the request ends with NuropbTimeoutError."),
      integer<&C::request, &C::Request::max_ttl_ms>("request", "max_ttl_ms", 1, day_ms, "Longest time that a request may ask for; a longer one is reduced to this. The request waits in its service's queue for that time, even if its client is gone."),
      boolean<&C::request, &C::Request::encryption>("request", "encryption", "Encrypts requests and commands if the service's description requires it for the method; the first request to a service waits for that description. false: no description is requested, and nothing is encrypted."),

      checked(integer<&C::rings, &C::Rings::request_bytes>("rings", "request_bytes", 4096, 1 << 30, "Size of each edge's request ring, a power of two."), power_of_two),
      checked(integer<&C::rings, &C::Rings::return_bytes>("rings", "return_bytes", 4096, 1 << 30, "Size of each edge's return ring, a power of two."), power_of_two),

      amqp_urls(),
      integer<&C::amqp, &C::Amqp::heartbeat_s>("amqp", "heartbeat_s", 1, 3600, "Seconds between AMQP heartbeats. After two of them without any data the connection counts as lost."),
      integer<&C::amqp, &C::Amqp::connect_timeout_ms>("amqp", "connect_timeout_ms", 100, 600'000, "Time within which a connection to one address has to succeed."),
      integer<&C::amqp, &C::Amqp::reconnect_min_ms>("amqp", "reconnect_min_ms", 10, 600'000, "Pause before the first attempt to reconnect; it doubles with each failure."),
      integer<&C::amqp, &C::Amqp::reconnect_max_ms>("amqp", "reconnect_max_ms", 10, 600'000, "Longest pause between attempts to reconnect."),
      integer<&C::amqp, &C::Amqp::queued_bytes>("amqp", "queued_bytes", 1 << 20, u32_max, "Bytes of messages that may wait in meshd to be published. Beyond that, edges stop reading from their sockets."),
      path<&C::amqp, &C::Amqp::password_file>("amqp", "password_file", "File with the password or token to use in place of the one in the URLs. It is read at each attempt to connect; a changed one is put into use while connected. Empty: the URLs have it."),
      path<&C::amqp, &C::Amqp::ca_file>("amqp", "ca_file", "amqps: certificate authorities that have to have signed the broker's certificate (PEM). Empty: the system's."),
      path<&C::amqp, &C::Amqp::certificate_file>("amqp", "certificate_file", "amqps: the gateway's own certificate, if the broker requires one (PEM)."),
      path<&C::amqp, &C::Amqp::key_file>("amqp", "key_file", "amqps: private key of certificate_file (PEM)."),
      boolean<&C::amqp, &C::Amqp::verify_peer>("amqp", "verify_peer", "amqps: false accepts any certificate and any host name. Never in production."),
      checked(text<&C::amqp, &C::Amqp::rpc_exchange>("amqp", "rpc_exchange", "Exchange for requests and commands."), exchange_name),
      checked(text<&C::amqp, &C::Amqp::events_exchange>("amqp", "events_exchange", "Exchange for events."), exchange_name),
      checked(text<&C::amqp, &C::Amqp::dl_exchange>("amqp", "dl_exchange", "Dead-letter exchange."), exchange_name),
      choice<&C::amqp, &C::Amqp::dead_letter_queue, dead_letter_queues>("amqp", "dead_letter_queue", "The gateway's dead-letter queue. transient: as the Python peers declare theirs. durable: with at most 10,000 messages of 7 days. auto: transient, or durable if the broker does not permit transient queues."),
      choice<&C::amqp, &C::Amqp::service_queue_type, queue_types>("amqp", "service_queue_type", "Type of the gateway's service queue: classic; quorum (only if no Python peer of the same service name shares the queue); or vhost, the default of the virtual host. A queue that exists keeps its type."),
      integer<&C::amqp, &C::Amqp::prefetch>("amqp", "prefetch", 1, 65535, "Unacknowledged messages that the broker delivers from the gateway's own service queue."),
      integer<&C::amqp, &C::Amqp::response_queue_expires_ms>("amqp", "response_queue_expires_ms", 1000, day_ms, "Time for which the broker keeps the gateway's response queue while meshd is not connected."),
      management_url(),

      checked(list<&C::etcd, &C::Etcd::urls>("etcd", "urls", "Members of an etcd cluster, like [\"http://10.0.0.7:2379\"]. The gateways of one service name elect their leader with it. Empty: no election, each gateway stands alone."), etcd_urls),
      checked(text<&C::etcd, &C::Etcd::prefix>("etcd", "prefix", "Prefix of all keys; the service's name follows it. Other NuroPb services use /nuropb."), etcd_prefix),
      integer<&C::etcd, &C::Etcd::lease_s>("etcd", "lease_s", 2, 3600, "Seconds for which a leader that is gone remains the leader."),
      text<&C::etcd, &C::Etcd::user>("etcd", "user", "User name, if etcd requires authentication."),
      path<&C::etcd, &C::Etcd::password_file>("etcd", "password_file", "File with that user's password and nothing else."),
      path<&C::etcd, &C::Etcd::ca_file>("etcd", "ca_file", "https: certificate authorities that have to have signed etcd's certificate (PEM). Empty: the system's."),
      path<&C::etcd, &C::Etcd::certificate_file>("etcd", "certificate_file", "https: the gateway's own certificate, if etcd requires one (PEM)."),
      path<&C::etcd, &C::Etcd::key_file>("etcd", "key_file", "https: private key of certificate_file (PEM)."),
      boolean<&C::etcd, &C::Etcd::verify_peer>("etcd", "verify_peer", "https: false accepts any certificate and any host name. Never in production."),

      path<&C::auth, &C::Auth::token_file>("auth", "token_file", "Static tokens and their users (TOML). Read again on SIGHUP to meshd."),
      checked(text<&C::auth, &C::Auth::header>("auth", "header", "Header in which a client sends its bearer token."), not_empty),
      text<&C::auth, &C::Auth::cookie>("auth", "cookie", "Cookie that is used if that header is missing. Empty: none."),
      integer<&C::auth, &C::Auth::verdict_timeout_ms>("auth", "verdict_timeout_ms", 100, 600'000, "Time that a new socket waits for the authentication of its token. Then it is closed with 4002."),
      path<&C::auth, &C::Auth::policy_file>("auth", "policy_file", "Policy: which users may use which services, methods, topics and verbs (TOML). Empty: every user may make requests, and nothing else. Read again on SIGHUP to meshd."),
      text<&C::auth, &C::Auth::context_user_key>("auth", "context_user_key", "Key in the context under which services find the user id. Empty: it is not sent to services."),
      text<&C::auth, &C::Auth::context_token_key>("auth", "context_token_key", "Key in the context under which services find the token (spelled as nuropb-gw does). Empty: it is not sent to services."),
      text<&C::auth, &C::Auth::context_claims_key>("auth", "context_claims_key", "Key in the context under which services find the user's claims. Empty: they are not sent to services."),

      checked(list<&C::auth, &C::Auth::authorizers>("auth", "authorizers", "Authorizers, asked in this order until one recognizes the token: \"tokens\" (token_file), \"jwt\", \"introspection\", \"mesh\" (mesh_service), \"session_cookie\", \"client_certificate\"."), authorizer_names),
      path<&C::auth, &C::Auth::revoked_file>("auth", "revoked_file", "Users who may not connect, whatever their token says: one user id on each line. Read again on SIGHUP to meshd, which closes their sockets with 4502."),
      text<&C::auth, &C::Auth::session_cookie>("auth", "session_cookie", "Cookie with a Tornado signed value, as nuropb-gw sets it. It is used if there is no other credential. Empty: none. Needs the authorizer \"session_cookie\"."),
      boolean<&C::auth, &C::Auth::subprotocol>("auth", "subprotocol", "Accepts a token in Sec-WebSocket-Protocol, for browsers, which can set no header: \"nuropb, bearer.<token>\"."),
      boolean<&C::auth, &C::Auth::first_message>("auth", "first_message", "Accepts a client without a token, whose first message then has to be `authorize` with one."),
      integer<&C::auth, &C::Auth::first_message_ms>("auth", "first_message_ms", 100, 600'000, "Time within which that message has to arrive. Then the socket is closed with 4402."),
      integer<&C::auth, &C::Auth::first_message_waiting>("auth", "first_message_waiting", 1, 1'000'000, "Sockets for each edge that may still owe that message. A further one is refused with 503."),
      text<&C::auth, &C::Auth::query>("auth", "query", "Query parameter that may hold the token, like \"access_token\". URLs end up in logs and histories, so use it only for clients that can do nothing else. Empty: none."),
      integer<&C::auth, &C::Auth::expiry_warning_s>("auth", "expiry_warning_s", 0, 86'400, "Seconds before the expiry of its token at which a client is warned. 0: no warning."),
      integer<&C::auth, &C::Auth::queued>("auth", "queued", 1, 1'000'000, "Tokens that may wait for an authentication thread. A further one is refused with 4002."),
      text<&C::auth, &C::Auth::mesh_service>("auth", "mesh_service", "Authorizer \"mesh\": the service that authenticates tokens."),
      checked(text<&C::auth, &C::Auth::mesh_method>("auth", "mesh_method", "Authorizer \"mesh\": the method of that service. It gets {\"token\"} and returns the user, or null."), not_empty),
      integer<&C::auth, &C::Auth::mesh_timeout_ms>("auth", "mesh_timeout_ms", 100, 600'000, "Authorizer \"mesh\": time within which the service has to answer."),
      integer<&C::auth, &C::Auth::cache_s>("auth", "cache_s", 0, 86'400, "Seconds for which a successful result of \"introspection\" or \"mesh\" is cached, but never beyond the expiry of the token."),
      integer<&C::auth, &C::Auth::negative_cache_s>("auth", "negative_cache_s", 0, 86'400, "Seconds for which a refusal of these two is cached."),
      integer<&C::auth, &C::Auth::cache_entries>("auth", "cache_entries", 1, 10'000'000, "Results that each of these two authorizers caches."),

      checked(list<&C::jwt, &C::Jwt::algorithms>("jwt", "algorithms", "Algorithms that are accepted. HS256, HS384 and HS512, which use a secret, have to be named here."), jwt_algorithms),
      path<&C::jwt, &C::Jwt::key_file>("jwt", "key_file", "Public keys and certificates (PEM). Read again on SIGHUP to meshd, like the next two."),
      path<&C::jwt, &C::Jwt::secret_file>("jwt", "secret_file", "Secrets for HS256 to HS512, one a line, of at least 32 bytes."),
      path<&C::jwt, &C::Jwt::jwks_file>("jwt", "jwks_file", "A JSON Web Key Set."),
      checked(text<&C::jwt, &C::Jwt::jwks_url>("jwt", "jwks_url", "URL at which the issuer publishes its key set. It is fetched at the start, when a token names an unknown key, and every jwks_refresh_s. If a fetch fails, the last good set remains in force."), plain_http_url),
      path<&C::jwt, &C::Jwt::jwks_ca_file>("jwt", "jwks_ca_file", "https: certificate authorities that have to have signed that server's certificate (PEM). Empty: the system's."),
      integer<&C::jwt, &C::Jwt::jwks_timeout_ms>("jwt", "jwks_timeout_ms", 100, 600'000, "Time within which a fetch has to succeed."),
      integer<&C::jwt, &C::Jwt::jwks_refresh_s>("jwt", "jwks_refresh_s", 1, 86'400, "Largest age of the key set, in seconds."),
      integer<&C::jwt, &C::Jwt::jwks_retry_s>("jwt", "jwks_retry_s", 1, 3600, "Shortest pause between two fetches, in seconds. It doubles with each failure, up to five minutes."),
      text<&C::jwt, &C::Jwt::issuer>("jwt", "issuer", "Issuer (iss) of accepted tokens. Empty: any."),
      list<&C::jwt, &C::Jwt::audience>("jwt", "audience", "Audiences: a token's aud has to name one of them. Empty: tokens with an aud are refused (RFC 7519)."),
      integer<&C::jwt, &C::Jwt::leeway_s>("jwt", "leeway_s", 0, 3600, "Seconds by which the issuer's clock may differ from ours."),
      boolean<&C::jwt, &C::Jwt::require_exp>("jwt", "require_exp", "Refuses tokens without an expiry."),
      checked(text<&C::jwt, &C::Jwt::user_claim>("jwt", "user_claim", "Claim that is the user id. Dots lead into objects: \"a.b\"."), not_empty),
      text<&C::jwt, &C::Jwt::username_claim>("jwt", "username_claim", "Claim that is the user's name."),
      text<&C::jwt, &C::Jwt::roles_claim>("jwt", "roles_claim", "Claim with the roles for the policy: a list, or a text with spaces between the roles. Examples: \"realm_access.roles\", \"scope\"."),
      list<&C::jwt, &C::Jwt::claims>("jwt", "claims", "Claims that are kept for the policy and the context. Empty: all."),

      path<&C::cookie, &C::Cookie::secret_file>("cookie", "secret_file", "The cookie_secret that signs session cookies, in the first line. Further lines hold former secrets, which are still accepted. Read again on SIGHUP to meshd."),
      integer<&C::cookie, &C::Cookie::max_age_days>("cookie", "max_age_days", 1, 3650, "Largest age of a session cookie, in days; 31 in Tornado."),

      checked(text<&C::introspection, &C::Introspection::url>("introspection", "url", "The authorization server's introspection endpoint (RFC 7662)."), plain_http_url),
      text<&C::introspection, &C::Introspection::client_id>("introspection", "client_id", "The gateway's client id at that server."),
      path<&C::introspection, &C::Introspection::client_secret_file>("introspection", "client_secret_file", "File with the gateway's client secret in its first line."),
      path<&C::introspection, &C::Introspection::ca_file>("introspection", "ca_file", "https: certificate authorities that have to have signed that server's certificate (PEM). Empty: the system's."),
      integer<&C::introspection, &C::Introspection::timeout_ms>("introspection", "timeout_ms", 100, 600'000, "Time within which the server has to answer. Then the socket is closed with 4002."),
      integer<&C::introspection, &C::Introspection::threads>("introspection", "threads", 1, 64, "Introspection requests at a time."),
      checked(text<&C::introspection, &C::Introspection::user_claim>("introspection", "user_claim", "Member of the answer that is the user id."), not_empty),
      text<&C::introspection, &C::Introspection::username_claim>("introspection", "username_claim", "Member that is the user's name."),
      text<&C::introspection, &C::Introspection::roles_claim>("introspection", "roles_claim", "Member with the roles for the policy."),
      list<&C::introspection, &C::Introspection::claims>("introspection", "claims", "Members that are kept for the policy and the context. Empty: all."),

      integer<&C::events, &C::Events::subscriptions_per_session>("events", "subscriptions_per_session", 1, 100'000, "Topic patterns to which one socket may be subscribed."),
      integer<&C::events, &C::Events::subscriptions_per_user>("events", "subscriptions_per_user", 0, 1'000'000, "Different topic patterns to which all sockets of one user together may be subscribed. The gateway has room for 65,536 of all users. 0: no limit."),
      boolean<&C::events, &C::Events::forward_context>("events", "forward_context", "Sends the context of events to clients. It holds whatever the publisher put there, which may include tokens of other gateways' users."),
      checked(list<&C::events, &C::Events::when_full>("events", "when_full", "What happens to events for a socket whose send queue is full (limits.send_queue_bytes), by topic; the first rule that matches counts. \"prices.# latest\" keeps the last event of each topic, \"ticks.# drop_oldest\" drops the oldest event, \"orders.# close\" closes the socket with 4001, as happens without a rule."), queue_rules),

      checked(text<&C::snorky, &C::Snorky::path>("snorky", "path", "Path at which clients that speak Snorky's protocol open their WebSocket, on the same port: \"/ws\". Empty: Snorky is off."), absolute_path_or_empty),
      boolean<&C::snorky, &C::Snorky::anonymous>("snorky", "anonymous", "Accepts clients without a token there. They have no user id and reach only Snorky's services."),
      path<&C::snorky, &C::Snorky::services_file>("snorky", "services_file", "Snorky's services, for clients and for backends (TOML). Empty: pubsub, to which no client may publish, and its pubsub_backend."),
      integer<&C::snorky, &C::Snorky::channels_per_session>("snorky", "channels_per_session", 1, 100'000, "Channels or names of one service that one socket may hold."),

      path<&C::backend, &C::Backend::key_file>("backend", "key_file", "Keys of the backends that POST to /backend (TOML). Empty: there is no such port. Read again on SIGHUP to meshd."),
      checked(text<&C::backend, &C::Backend::address>("backend", "address", "IP address that every edge listens on for backends."), ip_address),
      integer<&C::backend, &C::Backend::port>("backend", "port", 0, 65535, "TCP port, shared by all edges. 0: each edge takes a free port of its own (for tests)."),
      integer<&C::backend, &C::Backend::connections>("backend", "connections", 1, 65535, "Connections of backends for each edge. A further one is refused with 503."),
      integer<&C::backend, &C::Backend::timeout_ms>("backend", "timeout_ms", 100, 600'000, "Time within which a backend has to send its request, read its answer, and send its next request; also the time that it waits for an answer."),

      integer<&C::push, &C::Push::timeout_ms>("push", "timeout_ms", 100, 60'000, "Time that a send or close waits until edges and other gateways report how many connections it reached. Those that have not reported by then are named in the answer."),
      integer<&C::push, &C::Push::presence_ms>("push", "presence_ms", 100, 60'000, "Interval at which gateways of one service announce themselves to each other. A gateway that is silent for three and a half intervals is not waited for."),
      path<&C::push, &C::Push::key_file>("push", "key_file", "Keys that all gateways of one service share, one on each line, of 32 bytes or more. Messages between gateways then carry a MAC under the first of them, and a message without a MAC under any of them is refused. Empty: a gateway believes every message under the gateways' topic. Read again on SIGHUP to meshd."),
      boolean<&C::push, &C::Push::accept_unsigned>("push", "accept_unsigned", "With key_file: accepts messages without a MAC as well, while gateways without a key still run."),

      boolean<&C::resume, &C::Resume::enabled>("resume", "enabled", "Lets clients ask that their messages are kept, and resume a lost session with the token from their hello."),
      integer<&C::resume, &C::Resume::window_ms>("resume", "window_ms", 100, 3'600'000, "Time for which a session that lost its socket waits for its client, at any edge."),
      integer<&C::resume, &C::Resume::mailbox_bytes>("resume", "mailbox_bytes", 4096, 1 << 30, "Bytes of messages that are kept for one resumable session until the client acknowledges them. A client that missed more can't resume. limits.send_queue_bytes is an upper bound."),
      integer<&C::resume, &C::Resume::total_bytes>("resume", "total_bytes", 4096, INT32_MAX, "Bytes of messages that are kept for all sessions together. Beyond that, messages of the user with the most bytes are evicted, from that user's largest mailbox."),
      integer<&C::resume, &C::Resume::sessions>("resume", "sessions", 1, 10'000'000, "Sessions that may wait for their clients at once. Beyond that, the user with most of them loses the session that has waited longest."),

      boolean<&C::console, &C::Console::enabled>("console", "enabled", "Edges serve the console: figures, charts and a form to call services (docs/tasks/console.md)."),
      checked(text<&C::console, &C::Console::address>("console", "address", "IP address that every edge listens on for the console. It speaks plain HTTP and accepts tokens: make it reachable from other hosts only behind a proxy with TLS."), ip_address),
      integer<&C::console, &C::Console::port>("console", "port", 0, 65535, "TCP port, shared by all edges. 0: each edge takes a free port of its own."),
      checked(list<&C::console, &C::Console::hosts>("console", "hosts", "Host names of the console besides its address and localhost. Requests with other names are refused, which prevents DNS rebinding."), host_names),
      list<&C::console, &C::Console::users>("console", "users", "User ids whose tokens open the gateway's figures. \"*\": every valid token. Empty: no user; services can still be called, as far as the policy allows."),
      boolean<&C::console, &C::Console::kill_workers>("console", "kill_workers", "Lets these users kill an edge from the console. For demonstrations."),

      boolean<&C::admin, &C::Admin::tap>("admin", "tap", "Lets operators watch the messages of a client (nuropb-ctl tap): names and shapes of messages, no values."),

      integer<&C::drain, &C::Drain::grace_ms>("drain", "grace_ms", 0, 600'000, "Time for which a stopping edge goes on as before while /readyz already answers 503, so that load balancers stop sending new clients. Not used when another edge takes its place (SIGHUP)."),
      integer<&C::drain, &C::Drain::spread_ms>("drain", "spread_ms", 0, 600'000, "Time over which the sockets are then closed, each at a random moment, so that clients do not all reconnect at once. It is shorter for fewer than 500 sockets per second."),
      integer<&C::drain, &C::Drain::limit_ms>("drain", "limit_ms", 0, 600'000, "Time that the edge then waits for pending requests."),

      checked(text<&C::metrics, &C::Metrics::listen>("metrics", "listen", "Address at which meshd answers GET /metrics, /healthz and /readyz over TCP, beside its admin socket: \"127.0.0.1:9464\". There is no password, so only those who may read the metrics should be able to reach it. Empty: none."), ip_and_port_or_empty),

      checked(text<&C::tracing, &C::Tracing::otlp_url>("tracing", "otlp_url", "OpenTelemetry collector to which spans are sent, by OTLP over HTTP as JSON: \"http://127.0.0.1:4318\", or with a path if it is not /v1/traces. Empty: no spans are made, and traceparent is passed on unchanged."), plain_http_url),
      path<&C::tracing, &C::Tracing::ca_file>("tracing", "ca_file", "https: certificate authorities that have to have signed the collector's certificate (PEM). Empty: the system's."),
      path<&C::tracing, &C::Tracing::headers_file>("tracing", "headers_file", "File with headers for the collector, one on each line: \"Authorization: Bearer TOKEN\". Read again when it has changed. Empty: none."),
      checked(text<&C::tracing, &C::Tracing::sample_ratio>("tracing", "sample_ratio", "Fraction of the requests without a traceparent that begin a trace: \"0.01\" is one in a hundred. For requests with a traceparent, its sampled flag decides."), ratio),
      integer<&C::tracing, &C::Tracing::timeout_ms>("tracing", "timeout_ms", 100, 60'000, "Time within which the collector has to answer."),
      integer<&C::tracing, &C::Tracing::queued_spans>("tracing", "queued_spans", 16, 1'000'000, "Spans that may wait to be sent. Further ones are dropped and counted."),

      text<&C::hardening, &C::Hardening::edge_user>("hardening", "edge_user", "User that an edge becomes once it listens, if root starts it. Empty: nuropb-edge or, if there is no such user, nobody."),
      boolean<&C::hardening, &C::Hardening::seccomp>("hardening", "seccomp", "Ends a process that makes a system call that is not on its list. false: for debugging only."),
      boolean<&C::hardening, &C::Hardening::core_dumps>("hardening", "core_dumps", "Allows core dumps of meshd and edges, and debuggers of the same user. Both show passwords, keys and messages in memory."),

      choice<&C::log, &C::Logging::level, levels>("log", "level", "Lowest level that is logged: debug, info, warning or error."),
      choice<&C::log, &C::Logging::format, formats>("log", "format", "text for people, json for programs (one object on each line)."),
      path<&C::log, &C::Logging::file>("log", "file", "File for the log. Empty: standard error."),
      integer<&C::log, &C::Logging::slow_request_ms>("log", "slow_request_ms", 0, day_ms, "A request that takes at least this long is logged by its edge: where the time was spent, user, service, method and trace_id. 0: none."),
  };
}
// clang-format on

}  // namespace

std::span<const ConfigSection> config_sections() {
  static constexpr ConfigSection sections[] = {
      {"gateway", "Who this gateway is, and its processes."},
      {"listen", "Where clients connect."},
      {"http", "Calls over HTTP, for clients that can't open a WebSocket (docs/reference/http-calls.md)."},
      {"lines",
       "Clients that speak JSON lines over TCP (docs/tasks/lines.md). The limits, authentication, ping times and "
       "proxies of the other sections apply."},
      {"tls", "TLS to clients. Only edges use this section."},
      {"limits", "What a client may cost."},
      {"request", "Requests to services."},
      {"rings", "Shared memory between meshd and each edge."},
      {"amqp", "The broker. Only meshd uses this section.", true},
      {"etcd", "Leader election among gateways of one service name. Only meshd uses this section.", true},
      {"auth", "Who may connect. meshd authenticates tokens; an edge never does."},
      {"jwt", "JSON Web Tokens, for the authorizer \"jwt\".", true},
      {"cookie", "Signed session cookies, for the authorizer \"session_cookie\".", true},
      {"introspection", "OAuth token introspection, for the authorizer \"introspection\".", true},
      {"events", "Events of the mesh, for clients that subscribe to them."},
      {"snorky", "Snorky's protocol: services of the gateway's own, for clients."},
      {"backend", "Backend HTTP, for your servers that publish to clients. Edges listen, and meshd verifies the keys."},
      {"console", "A page in the browser for operators, and for trying the gateway."},
      {"admin", "Additional rights of operators on meshd's admin socket.", true},
      {"push", "Messages from services, backends and operators to clients, and closing of clients."},
      {"resume", "Resuming a session that lost its socket, without missing a message."},
      {"drain", "Stopping."},
      {"metrics", "Metrics of the whole gateway, from meshd (docs/tasks/metrics.md).", true},
      {"tracing", "Traces of requests, for OpenTelemetry (docs/tasks/metrics.md). Only meshd uses this section.", true},
      {"hardening", "Restrictions of the processes once they run (docs/tasks/hardening.md)."},
      {"log", "The log. It never contains a token or a password."},
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
