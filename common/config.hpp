#pragma once
// One TOML file for meshd, the edges and the launcher; environment over the file, flags over both.
//
// Each key is one row of a table (config_keys.cpp) with its name, type, default, bounds and description. The parser,
// the environment variable NUROPB_<SECTION>_<KEY>, `--set section.key=value`, `--check-config`, `--print-config` and
// deploy/nuropb-gateway.toml (`--sample-config`) are all derived from it.
//
// Loading reports all mistakes at once, each with file, line and key. An unknown key is a mistake.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "common/rate_limit.hpp"
#include "common/result.hpp"

namespace nuropb {

enum class MeshKind : std::uint8_t { rabbitmq, loopback };
enum class ForwardedFrom : std::uint8_t { none, x_forwarded_for, forwarded };
enum class TlsVersion : std::uint8_t { tls1_2, tls1_3 };
enum class ClientCertificates : std::uint8_t { none, optional, required };
enum class ClientName : std::uint8_t { cn, dns, email, uri };

struct Config {
  struct Gateway {
    std::string service = "gateway";                  ///< our name on the mesh
    std::string instance;                             ///< empty: generated once and kept in runtime_dir
    std::string runtime_dir = "/run/nuropb-gateway";  ///< control socket, secret, instance id
    MeshKind mesh = MeshKind::rabbitmq;               ///< loopback: meshd echoes requests itself, without a broker
    std::uint32_t edges = 2;                          ///< how many edges the launcher starts
    std::uint32_t max_workers = 32;                   ///< worker slots in meshd
    std::uint32_t hung_after_s = 5;                   ///< an edge without a heartbeat for so long is killed
  } gateway;
  struct Listen {
    std::string address = "127.0.0.1";
    std::uint16_t port = 8880;
    std::string path = "/websocket";
    std::vector<std::string> origins;  ///< empty refuses every browser; "*" accepts all
    std::uint32_t backlog = 4096;
    std::vector<std::string> hosts;            ///< empty: any Host header
    std::vector<std::string> trusted_proxies;  ///< CIDR blocks
    bool proxy_protocol = false;
    ForwardedFrom forwarded_header = ForwardedFrom::x_forwarded_for;
    std::uint32_t ping_interval_s = 25;  ///< 0: none
    std::uint32_t pong_timeout_s = 20;
    std::uint32_t idle_timeout_s = 0;  ///< 0: none
    bool ready_with_broker = false;    ///< whether /readyz requires a broker connection
    bool compression = false;          ///< permessage-deflate (RFC 7692)
    std::uint32_t compression_window_bits = 12;
    bool compression_context_takeover = false;
  } listen;
  struct Http {
    bool enabled = true;
    std::uint32_t keep_alive_s = 75;  ///< between two requests of one connection
  } http;
  struct Lines {
    bool enabled = false;
    std::string address = "127.0.0.1";
    std::uint16_t port = 8881;
    std::string service_name = "gateway-lines";  ///< our name on the mesh for these consumers
    bool tls = false;                            ///< with the certificates of [tls]
    std::uint32_t first_line_ms = 10'000;
  } lines;
  struct Tls {
    std::vector<std::string> certificate_files;  ///< empty: no TLS; each with its chain
    std::vector<std::string> key_files;          ///< one for each certificate
    TlsVersion min_version = TlsVersion::tls1_2;
    std::string ciphers =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-"
        "SHA384:"
        "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
    ClientCertificates client_certificates = ClientCertificates::none;
    std::string client_ca_file;
    std::string client_crl_file;  ///< empty: no certificate is revoked
    ClientName client_name = ClientName::cn;
  } tls;
  struct Limits {
    std::uint32_t connections = 10'000;       ///< per edge
    std::uint32_t connections_per_ip = 5000;  ///< per edge; 0: no limit
    std::uint32_t new_connections_per_s = 0;  ///< per edge; 0: no limit
    std::uint32_t request_line_bytes = 8192;
    std::uint32_t header_bytes = 16 * 1024;  ///< a handshake's whole head
    std::uint32_t headers = 100;
    std::uint32_t message_bytes = 2 * 1024 * 1024;     ///< one message from or to a consumer
    std::uint32_t pending_per_session = 1024;          ///< requests that one socket may have outstanding
    std::uint32_t send_queue_bytes = 8 * 1024 * 1024;  ///< waiting for a consumer that reads slowly
    std::uint32_t handshake_ms = 5000;
    std::uint32_t memory_bytes = 256 * 1024 * 1024;  ///< all partly received messages and send queues of one edge
    std::uint32_t message_ms = 120'000;              ///< time limit for all parts of one message to arrive
    std::uint32_t control_frames_per_s = 100;        ///< per socket: frames that complete no message; 0: no limit
    std::uint32_t refused_tokens_per_s = 10;         ///< per client address and edge; 0: no limit
    std::uint32_t json_depth = 256;
    std::uint32_t number_bytes = 1000;
    /// Limits for JSON that clients send.
    [[nodiscard]] json::Limits json() const { return {json_depth, number_bytes}; }
    Rates connection{};                           ///< per socket, enforced by its edge
    std::uint32_t connections_per_user = 5000;    ///< over all edges; 0: no limit
    Rates user{};                                 ///< per user over all edges, enforced by meshd
    std::uint32_t pending_per_user = 50'000;      ///< requests without an answer, over all edges; 0: no limit
    std::uint32_t pending_user_bytes = 64 << 20;  ///< the same in bytes; 0: no limit
  } limits;
  struct Request {
    std::uint32_t ttl_ms = 60'000;  ///< how long a consumer waits unless it says otherwise
    std::uint32_t max_ttl_ms = 600'000;
    bool encryption = true;  ///< where the described method requires it
  } request;
  struct Rings {
    std::uint32_t request_bytes = 8 * 1024 * 1024;  ///< power of two; per worker
    std::uint32_t return_bytes = 8 * 1024 * 1024;   ///< power of two; per worker
  } rings;
  struct Amqp {
    std::vector<std::string> urls{"amqp://guest:guest@127.0.0.1:5672/"};
    std::uint32_t heartbeat_s = 10;
    std::uint32_t connect_timeout_ms = 5000;
    std::uint32_t reconnect_min_ms = 200;
    std::uint32_t reconnect_max_ms = 10'000;
    std::uint32_t queued_bytes = 64 * 1024 * 1024;  ///< messages waiting in meshd to be published
    std::string password_file;                      ///< empty: the URLs' passwords (docs/tasks/broker.md)
    std::string ca_file;                            ///< empty: the system's
    std::string certificate_file;
    std::string key_file;
    bool verify_peer = true;
    std::string rpc_exchange = "nuropb-rpc-exchange";
    std::string events_exchange = "nuropb-events-exchange";
    std::string dl_exchange = "nuropb-dl-exchange";
    enum class DeadLetterQueue { automatic, transient, durable } dead_letter_queue = DeadLetterQueue::automatic;
    enum class QueueType { classic, quorum, vhost } service_queue_type = QueueType::classic;
    std::uint32_t prefetch = 1;  ///< of the controller's service queue
    std::uint32_t response_queue_expires_ms = 60'000;
    std::string management_url;  ///< empty: derived from the AMQP address
  } amqp;
  struct Etcd {
    std::vector<std::string> urls;   ///< empty: standalone
    std::string prefix = "/nuropb";  ///< keys are <prefix>/<service>/…
    std::uint32_t lease_s = 15;
    std::string user;
    std::string password_file;
    std::string ca_file;  ///< empty: the system's
    std::string certificate_file;
    std::string key_file;
    bool verify_peer = true;
  } etcd;
  struct Auth {
    std::string token_file;  ///< static tokens (docs/tasks/tokens.md)
    std::string header = "Authorization";
    std::string cookie = "Authorization";
    std::uint32_t verdict_timeout_ms = 5000;
    std::string policy_file;                   ///< docs/tasks/policy.md; empty: requests are allowed, nothing else
    std::string context_user_key = "user_id";  ///< context keys; empty: not sent
    std::string context_token_key = "Authorisation";  ///< as nuropb-gw spells it
    std::string context_claims_key;
    std::vector<std::string> authorizers{"tokens"};  ///< tried in this order (meshd/auth/chain.hpp)
    std::string revoked_file;                        ///< users who may not connect
    std::string session_cookie;                      ///< name of a Tornado signed cookie; empty: none
    bool subprotocol = true;                         ///< whether a bearer token in Sec-WebSocket-Protocol is accepted
    bool first_message = false;                      ///< a handshake without a token may send one as its first message
    std::uint32_t first_message_ms = 10'000;
    std::uint32_t first_message_waiting = 1000;  ///< per edge: sockets that wait for that message
    std::string query;                           ///< query parameter with a token; empty: none
    std::uint32_t expiry_warning_s = 60;
    std::uint32_t queued = 1000;  ///< tokens waiting for an authentication thread
    std::string mesh_service;     ///< authorizer "mesh": the service that authenticates
    std::string mesh_method = "authorize";
    std::uint32_t mesh_timeout_ms = 3000;
    std::uint32_t cache_s = 60;  ///< how long results of introspection and mesh are cached
    std::uint32_t negative_cache_s = 5;
    std::uint32_t cache_entries = 10'000;
  } auth;
  struct Jwt {
    std::vector<std::string> algorithms{"RS256", "RS384", "RS512", "PS256", "PS384",
                                        "PS512", "ES256", "ES384", "ES512", "EdDSA"};
    std::string key_file;     ///< PEM: public keys and certificates
    std::string secret_file;  ///< one secret a line, for HS256…512
    std::string jwks_file;
    std::string jwks_url;
    std::string jwks_ca_file;  ///< empty: the system's
    std::uint32_t jwks_timeout_ms = 5000;
    std::uint32_t jwks_refresh_s = 3600;
    std::uint32_t jwks_retry_s = 10;  ///< minimum pause between two fetches
    std::string issuer;               ///< empty: any
    std::vector<std::string> audience;
    std::uint32_t leeway_s = 30;
    bool require_exp = true;
    std::string user_claim = "sub";
    std::string username_claim = "name";
    std::string roles_claim = "roles";
    std::vector<std::string> claims;  ///< claims kept for policy and context; empty: all
  } jwt;
  struct Cookie {
    std::string secret_file;          ///< one secret per line; a cookie signed with any of them is valid
    std::uint32_t max_age_days = 31;  ///< Tornado's default
  } cookie;
  struct Introspection {
    std::string url;
    std::string client_id;
    std::string client_secret_file;
    std::string ca_file;  ///< empty: the system's
    std::uint32_t timeout_ms = 3000;
    std::uint32_t threads = 4;  ///< concurrent requests
    std::string user_claim = "sub";
    std::string username_claim = "username";
    std::string roles_claim = "scope";
    std::vector<std::string> claims;
  } introspection;
  struct Events {
    std::uint32_t subscriptions_per_session = 100;
    std::uint32_t subscriptions_per_user = 2000;  ///< different patterns, over all edges; 0: no limit
    bool forward_context = false;                 ///< whether consumers see the context of events
    std::vector<std::string> when_full;           ///< "PATTERN POLICY" (queue_rules.hpp)
  } events;
  struct Snorky {
    std::string path;           ///< empty: Snorky is disabled
    bool anonymous = false;     ///< whether clients without a token are accepted
    std::string services_file;  ///< docs/tasks/snorky.md; empty: pubsub and pubsub_backend
    std::uint32_t channels_per_session = 100;
  } snorky;
  struct Backend {
    std::string key_file;  ///< empty: the backend endpoint is disabled
    std::string address = "127.0.0.1";
    std::uint16_t port = 5801;
    std::uint32_t connections = 64;  ///< per edge
    std::uint32_t timeout_ms = 10'000;
  } backend;
  struct Console {
    bool enabled = false;
    std::string address = "127.0.0.1";
    std::uint16_t port = 8882;
    std::vector<std::string> hosts;  ///< names in the Host header beside the address and localhost
    std::vector<std::string> users;  ///< users who may see the gateway's status; "*": every authenticated user
    bool kill_workers = false;       ///< for demonstrations
  } console;
  struct Admin {
    bool tap = false;  ///< whether operators may watch clients' messages
  } admin;
  struct Push {
    /// How long edges and other gateways may take to report how many sockets a message reached.
    std::uint32_t timeout_ms = 2000;
    std::uint32_t presence_ms = 2000;  ///< interval between presence messages to the other gateways
    std::string key_file;              ///< of the keys that gateways of one service share; empty: none
    bool accept_unsigned = false;  ///< with keys: also accept messages without a MAC, while keys are being rolled out
  } push;
  struct Resume {
    bool enabled = true;
    std::uint32_t window_ms = 30'000;              ///< how long a detached session waits for its client to reconnect
    std::uint32_t mailbox_bytes = 1024 * 1024;     ///< sequenced messages kept for one session
    std::uint32_t total_bytes = 64 * 1024 * 1024;  ///< the same for all sessions together
    std::uint32_t sessions = 10'000;               ///< sessions that may be detached at once
  } resume;
  struct Drain {
    std::uint32_t grace_ms = 0;       ///< from SIGTERM until new sockets are refused
    std::uint32_t spread_ms = 5000;   ///< over which sockets are closed
    std::uint32_t limit_ms = 10'000;  ///< how long pending requests may take after that
  } drain;
  struct Metrics {
    std::string listen;  ///< "127.0.0.1:9464"; empty: on the admin socket only
  } metrics;
  struct Tracing {
    std::string otlp_url;            ///< empty: spans are not exported
    std::string ca_file;             ///< empty: the system's
    std::string headers_file;        ///< empty: no additional headers
    std::string sample_ratio = "1";  ///< of traces that start in the gateway
    std::uint32_t timeout_ms = 5000;
    std::uint32_t queued_spans = 8192;
  } tracing;
  struct Hardening {
    std::string edge_user;  ///< user of edges that are started by root; empty: nuropb-edge, else nobody
    bool seccomp = true;
    bool core_dumps = false;
  } hardening;
  struct Logging {
    log::Level level = log::Level::info;
    log::Format format = log::Format::text;
    std::string file;
    std::uint32_t slow_request_ms = 0;  ///< 0: no request is logged as slow
  } log;
  /// Not a setting: NUROPB_ environment variables that match no key and are therefore ignored, with the reason where
  /// there is one. Their values are never included.
  std::vector<std::string> ignored_variables;
  /// Not a setting: where each key was set, as "gateway.toml:12", "NUROPB_LISTEN_PORT" or "--set listen.port". Keys with their
  /// default are not in it.
  std::map<std::string, std::string> places;
  /// Not a setting: keys whose passwords are on the command line, where every user of the host can read them.
  std::vector<std::string> passwords_on_command_line;
};

struct ConfigSources {
  std::string file;                                              ///< empty: none
  std::vector<std::pair<std::string, std::string>> environment;  ///< NUROPB_… variables only
  std::vector<std::pair<std::string, std::string>> overrides;    ///< from --set, in order: {"listen.port", "8881"}
};

/// All mistakes, in the order of the sources. Relative paths in the file are resolved against its folder.
struct ConfigErrors {
  std::vector<Error> errors;
  Config rest;                             ///< the settings that are right; a setting with a mistake has its default
  [[nodiscard]] std::string text() const;  ///< one line each: "gateway.toml:12: listen.port: 70000 is above 65535"
};

tl::expected<Config, ConfigErrors> load_config(const ConfigSources& sources);

/// The same from a string, for tests and fuzzing. `name` is used as the file's name in messages.
tl::expected<Config, ConfigErrors> parse_config(std::string_view toml, std::string_view name,
                                                const ConfigSources& over = {});

/// The NUROPB_… variables of this process.
std::vector<std::pair<std::string, std::string>> config_environment();

/// Whether one of these URLs contains a password.
bool has_password(std::string_view urls);

/// Config::ignored_variables as one line for a warning; empty if there are none.
std::string ignored_variables_text(const Config& config);

/// The effective settings as one JSON object by section, for the launcher. Passwords in URLs are removed.
std::string config_json(const Config& config);

/// The effective settings as TOML without what only meshd may know: meshd's own sections and every URL with a password.
std::string config_for_edges(const Config& config);

/// The commented sample: every key with its default, bounds and description.
std::string sample_config();

/// All keys as reference documentation in Markdown, one table per section.
std::string config_doc();
/// The same for programs: a JSON array of {"key", "type", "default", "doc"} and bounds or choices.
std::string config_doc_json();
/// The same as the body of a manual page (roff, man macros).
std::string config_doc_roff();

/// An option of one program in addition to the common ones.
struct ExtraOption {
  std::string flag;  ///< "--port-file"
  std::string help;
  /// Where the option's argument is stored.
  std::string* value;
};

/// What a check of loaded settings finds: of files that they name, and of settings together.
struct ConfigFindings {
  /// The gateway would not start, or would refuse what the setting is meant to allow.
  std::vector<Error> mistakes;
  /// The gateway starts, but a setting has no effect, or more effect than was probably intended.
  std::vector<Error> warnings;
};
using ConfigChecker = std::function<ConfigFindings(const Config&)>;

/// Loads the settings and checks them, so that every finding is reported at once. Without a config from `sources`, findings that
/// may follow from settings with mistakes are left out.
ConfigFindings check_config(const ConfigSources& sources, const ConfigChecker& check);

/// Settings that do not go together, of which no file has to be read to know it.
std::vector<Error> config_warnings(const Config& config);

/// `error`, which names a file, with the setting that names this file and the place of that setting.
Error with_setting(const Config& config, Error error);

/// Parses the options that all programs share: --config FILE, --set KEY=VALUE, --check-config, --print-config,
/// --sample-config, --version, --help. --check-config runs `check`. `about_version` is printed after the version. Returns
/// the config, or the exit code with which the process must exit at once: 0 after --check-config and the like, 2 after a
/// mistake, which has then been printed.
tl::expected<Config, int> config_from_command_line(int argc, char** argv, const std::string& program,
                                                   const std::string& description, const ConfigChecker& check,
                                                   std::vector<ExtraOption> extra = {},
                                                   const std::string& about_version = {});

}  // namespace nuropb
