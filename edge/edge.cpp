// meshd's side of the edge. The consumers' side is in edge_consumers.cpp, its end in edge_drain.cpp.

#include "edge/edge.hpp"

#include <new>
#include <unordered_map>

#include "common/close_codes.hpp"
#include "common/crash_points.hpp"
#include "common/error_names.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "common/process_figures.hpp"
#include "common/service_notice.hpp"
#include "edge/protocol/shared_message.hpp"

namespace nuropb::edge {
namespace {

using std::chrono::seconds;

DoorSettings door_settings(const Config& config) {
  const Config::Listen& listen = config.listen;
  DoorSettings out;
  out.address = listen.address;
  out.port = listen.port;
  out.gateway = config.gateway.runtime_dir;
  out.backlog = listen.backlog;
  out.handshake_ms = config.limits.handshake_ms;
  out.limits = {config.limits.connections, config.limits.connections_per_ip, config.limits.new_connections_per_s};
  out.head = {config.limits.request_line_bytes, config.limits.header_bytes, config.limits.headers};
  out.hosts = listen.hosts;
  out.proxy_protocol = listen.proxy_protocol;
  out.forwarded_header = listen.forwarded_header == ForwardedFrom::forwarded         ? ForwardedHeader::forwarded
                         : listen.forwarded_header == ForwardedFrom::x_forwarded_for ? ForwardedHeader::x_forwarded_for
                                                                                     : ForwardedHeader::none;
  for (const std::string& block : listen.trusted_proxies) out.trusted_proxies.add(block);
  out.tls.certificate_files = config.tls.certificate_files;
  out.tls.key_files = config.tls.key_files;
  out.tls.only_tls13 = config.tls.min_version == TlsVersion::tls1_3;
  out.tls.ciphers = config.tls.ciphers;
  out.tls.clients = config.tls.client_certificates == ClientCertificates::required   ? TlsSettings::Clients::required
                    : config.tls.client_certificates == ClientCertificates::optional ? TlsSettings::Clients::optional
                                                                                     : TlsSettings::Clients::none;
  out.tls.client_ca_file = config.tls.client_ca_file;
  out.tls.client_crl_file = config.tls.client_crl_file;
  switch (config.tls.client_name) {
    case ClientName::cn: out.tls.client_name = TlsSettings::ClientName::cn; break;
    case ClientName::dns: out.tls.client_name = TlsSettings::ClientName::dns; break;
    case ClientName::email: out.tls.client_name = TlsSettings::ClientName::email; break;
    case ClientName::uri: out.tls.client_name = TlsSettings::ClientName::uri; break;
  }
  return out;
}
std::string lost_error() {
  return unknown_outcome_json("the gateway's connection to the mesh was lost; the request may have run");
}

constexpr std::uint64_t waits_to_be_sent = UINT64_MAX;  // PendingRequest::ring_end of what is in its handler's unsent()

}  // namespace

Edge::Edge(const Config& config, MeshLink::Connect connect, const ReadFile& read_certificates)
    : config_(config),
      memory_(config.limits.memory_bytes, Frame::bytes_in_memory),
      signals_(io_, SIGTERM, SIGINT, SIGUSR2),
      reload_(io_, SIGHUP),
      timer_(io_),
      opening_timer_(io_),
      drain_timer_(io_),
      token_guesses_(config.limits.refused_tokens_per_s, 100 * config.limits.refused_tokens_per_s),
      queue_rules_(config.events.when_full),
      link_(io_, std::move(connect), config.limits.message_bytes,
            {.on_attached = [this](bool same_address) { on_attached(same_address); },
             .on_lost = [this](const MeshLink::Lost& lost) { on_lost(lost); },
             .on_record = [this](const shm::RecordHeader& header,
                                 const std::string& payload) { on_record(header, payload); },
             .on_batch_end = [this] { measure_batch(); },
             .on_change =
                 [this] {
                   close_waiting();
                   present_waiting();
                   subscribe_waiting();
                   say_all_unsaid();
                   say_waiting();
                   resume_held();
                 },
             .on_beat =
                 [this] {
                   show_state();
                   close_late_messages();
                 },
             .on_unusable =
                 [this] {
                   log::error("meshd's shared memory can't be mapped: this edge ends",
                              {{"hint", "memory limits of this process: ulimit -v, cgroups"}});
                   exit_code_ = 1;
                   io_.stop();
                 }}) {
  WebSocketListener::Settings settings;
  settings.door = door_settings(config);
  if (read_certificates) settings.door.tls.read = read_certificates;
  settings.door.on_bad_certificate = [this] { link_.count(shm::EdgeCounter::bad_certificates); };
  settings.door.arrivals = arrivals_ = std::make_shared<Arrivals>(settings.door.limits);
  make_lines(settings.door);
  settings.max_message = config.limits.message_bytes;
  settings.liveness = {seconds(config.listen.ping_interval_s), seconds(config.listen.pong_timeout_s),
                       seconds(config.listen.idle_timeout_s)};
  settings.compression = config.listen.compression;
  settings.deflate = {static_cast<int>(config.listen.compression_window_bits),
                      config.listen.compression_context_takeover, config.limits.message_bytes};
  listener_ = std::make_unique<WebSocketListener>(
      io_, settings,
      WebSocketListener::Callbacks{
          [this](const Handshake& handshake, HttpAnswer& refusal) { return admit(handshake, refusal); },
          [this](Connection& connection, const Handshake& handshake) { return on_open(connection, handshake); },
          [this](const Handshake& handshake) { return on_http(handshake); },
          [this](std::string_view page) { return probe(page); },
          [this] { link_.count(shm::EdgeCounter::refused_handshakes); }});
}

Edge::~Edge() = default;

Result<void> Edge::start() {
  if (const std::string wrong = listener_->listen(); !wrong.empty()) return failure(wrong, "", "");
  if (const auto lines = start_lines(); !lines) return lines;
  if (const auto backend = start_backend(); !backend) return backend;
  if (const auto console = start_console(); !console) return console;
  wait_for_signal();
  reload_later();
  own_files_ = open_files().value_or(0) + 3;  // and those to meshd: a socket, two ends of a doorbell
  most_files_ = most_files();
  return {};
}

void Edge::reload_later() {
  reload_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    ServiceNotice::ours().reloading();
    log::reopen();
    std::string wrong = listener_->reload_tls();
    if (wrong.empty() && lines_) wrong = lines_->reload_tls();
    if (wrong.empty()) log::info("certificates read again", {});
    else log::error("certificates not changed", {{"reason", wrong}});
    ServiceNotice::ours().ready();
    reload_later();
  });
}

int Edge::run() {
  link_.start();
  for (;;) {
    try {
      io_.run();
      return exit_code_;
    } catch (const std::bad_alloc&) {
      // What the kernel refuses one operation it may grant the next one: the other sockets go on.
      if (const auto left_out = closed_pause_.due(clock_.now()))
        log::error("there is no memory; one operation was given up", {{"left_out", *left_out}});
    }
  }
}

void Edge::on_record(const shm::RecordHeader& header, const std::string& payload) {
  using records::Type;
  switch (static_cast<Type>(header.type)) {
    case Type::response:
      if (const auto record = records::decode<records::Response>(payload)) on_response(header, *record);
      break;
    case Type::session_accepted:
      if (const auto record = records::decode<records::SessionAccepted>(payload)) {
        ConsumerHandler* const handler = find(record->session);
        if (handler && handler->serial() == record->serial && handler->state() == ConsumerHandler::State::judging)
          token_guesses_.accepted(handler->host(), handler->credential().token);
        if (handler && handler->serial() == record->serial)
          handler->accepted(record->user_id, record->username, record->ticket, record->resume);
      }
      break;
    case Type::session_refused:
      if (const auto record = records::decode<records::SessionRefused>(payload))
        end_session(record->session, record->serial, record->code, record->reason);
      break;
    case Type::end_session:
      if (const auto record = records::decode<records::EndSession>(payload))
        end_session(record->session, record->serial, record->code, record->reason);
      break;
    case Type::session_notice:
      if (const auto record = records::decode<records::SessionNotice>(payload)) {
        ConsumerHandler* const handler = find(record->session);
        SharedMessage message(record->text, false);  // in Snorky's envelope where that is spoken
        if (handler && handler->serial() == record->serial) handler->write_shared(message);
      }
      break;
    case Type::mesh_event:
      if (const auto record = records::decode<records::MeshEvent>(payload)) on_mesh_event(*record);
      break;
    case Type::subscription_ended:
      if (const auto record = records::decode<records::SubscriptionEnded>(payload)) on_subscription_ended(*record);
      break;
    case Type::snorky_answer:
      if (const auto record = records::decode<records::SnorkyAnswer>(payload)) on_snorky_answer(header, *record);
      break;
    case Type::backend_answer:
      if (const auto record = records::decode<records::BackendAnswer>(payload)) on_backend_answer(header, *record);
      break;
    case Type::numbered:
      if (const auto record = records::decode<records::Numbered>(payload)) on_numbered(header, *record);
      break;
    case Type::resumed:
      if (const auto record = records::decode<records::Resumed>(payload)) on_resumed(header, *record);
      break;
    case Type::push:
      if (const auto record = records::decode<records::Push>(payload)) on_push(*record);
      break;
    case Type::close_sessions:
      if (const auto record = records::decode<records::CloseSessions>(payload)) on_close_sessions(*record);
      break;
    default: break;  // MeshLink has let only known types through
  }
}

void Edge::on_response(const shm::RecordHeader& header, const records::Response& record) {
  const auto asked = pending_.take(header.sequence);
  ConsumerHandler* const handler = asked ? find(asked->session) : nullptr;
  if (!handler || asked->session != record.session) {
    // The second answer of a service that sends two, or one that came after its deadline: nobody waits for it.
    link_.count(shm::EdgeCounter::late_responses);
    return;
  }
  if (!asked->topic.empty() && record.error == "null") subscribed(*handler, asked->topic);
  if (asked->trace_id.empty()) {
    if (!asked->topic.empty() && record.error != "null") subscription_lost(*handler, asked->topic, record.error);
    return;
  }
  link_.count(shm::EdgeCounter::responses);
  count_outcome(record.outcome);
  conclude(*handler, asked->trace_id, record.result, record.error, header.sequence);
  measure_answered(*handler, *asked, record.outcome, record.stages);
}

bool Edge::may_send() const { return link_.attached() && !link_.full() && link_.broker() == shm::BrokerState::ready; }

bool Edge::may_call() const { return link_.attached() && !link_.full(); }

void Edge::on_attached(bool same_address) {
  show_state();
  if (!same_address) {
    // What an earlier meshd has published for us is answered to an address that is ours no more.
    pending_.each([&](const PendingRequest& request) {
      if (request.ring_end == 0) lose(request.sequence);
    });
  }
  for (ConsumerHandler* handler : handlers_) {
    if (handler && handler->state() != ConsumerHandler::State::closing &&
        handler->state() != ConsumerHandler::State::silent)
      present(*handler);
  }
}

void Edge::on_lost(const MeshLink::Lost& lost) {
  answered_.clear();
  to_present_.clear();
  to_subscribe_.clear();
  to_say_.clear();
  unsaid_.clear();
  early_commands_ = 0;
  close_waiting();  // there is nobody to tell: the slots are free
  std::unordered_map<std::uint64_t, const shm::RingWriter::Written*> untaken;
  for (const auto& record : lost.untaken) untaken[record.header.sequence] = &record;
  pending_.each([&](PendingRequest& request) {
    ConsumerHandler* const handler = find(request.session);
    if (!handler) return;
    request.announced = false;
    if (handler->numbered()) pending_.set_deadline(request, request.until);  // nobody else keeps the time now
    auto& unsent = handler->unsent();
    if (request.ring_end == waits_to_be_sent) return;
    if (const auto found = untaken.find(request.sequence);
        found != untaken.end() && found->second->end == request.ring_end) {
      // Nobody has looked at it, so it goes to the next meshd as if there had been no other.
      if (request.trace_id.empty()) return lose(request.sequence);  // our own, and asked anew of every meshd
      unsent.push_back({request.verb, request.sequence, found->second->payload});
    } else if (request.ring_end <= lost.settled &&
               (request.verb == records::Type::request || request.verb == records::Type::describe)) {
      request.ring_end = 0;  // published: its answer will come, by way of the next meshd
      return;
    } else if (!request.again.empty()) {
      unsent.push_back({request.verb, request.sequence, request.again});
    } else {
      return lose(request.sequence);  // it may have been published, which only the dead meshd knew (design.md, rule 1)
    }
    request.ring_end = waits_to_be_sent;
  });
  fail_backend(502, lost_error());
  for (ConsumerHandler* handler : handlers_) {
    if (!handler) continue;
    handler->present_again();
    if (handler->numbered()) numbers_lost(*handler);
  }
  arm_timer();
}

void Edge::lose(std::uint64_t sequence) {
  const auto taken = pending_.take(sequence);
  ConsumerHandler* const handler = taken ? find(taken->session) : nullptr;
  if (handler) end_pending(*handler, *taken, lost_error());
}

void Edge::send_again(ConsumerHandler& handler) {
  auto& unsent = handler.unsent();
  if (handler.state() != ConsumerHandler::State::open) return;  // not known to this meshd yet
  for (; !unsent.empty(); unsent.pop_front()) {
    PendingRequest* const request = pending_.find(unsent.front().sequence);
    if (!request) continue;  // its time was up meanwhile
    if (!(handler.speaks_snorky() ? link_.attached() && !link_.full() : may_send()) ||
        !link_.write(unsent.front().type, unsent.front().sequence, unsent.front().record))
      return;
    request->ring_end = link_.written();
    let_meshd_keep_time(handler, *request);
    NUROPB_CRASH_POINT(request_sent_again);
  }
}

void Edge::present_waiting() {
  while (!to_present_.empty() && link_.attached() && !link_.full()) {
    ConsumerHandler* const handler = to_present_.front();
    to_present_.pop_front();
    present(*handler);
  }
}

void Edge::resume_held() {
  if (link_.broker() == shm::BrokerState::ready) early_commands_ = 0;
  std::vector<ConsumerHandler*> waiting(held_.begin(), held_.end());
  held_.clear();
  for (ConsumerHandler* handler : waiting) {
    // What meshd answers by itself needs no broker.
    if (takes_from(*handler) && (handler->speaks_snorky() ? may_call() : may_send())) handler->resume();
    else held_.insert(handler);
  }
}

}  // namespace nuropb::edge
