#include "edge/link/mesh_link.hpp"

#include <boost/asio/post.hpp>

#include "common/crash_points.hpp"
#include "common/log.hpp"

namespace nuropb::edge {
namespace {

constexpr auto refused_pause = std::chrono::milliseconds(500);  // a meshd that refuses has reasons that last
constexpr int most_unusable =
    5;  // welcomes, before the process ends so that its launcher starts another one, later and later
constexpr auto greeting_timeout = std::chrono::seconds(2);
constexpr auto beat_interval = std::chrono::seconds(1);
// What is read in one turn: sockets write only between turns, and what one turn brings has to fit into their queues.
constexpr int records_per_turn = 512;
constexpr std::size_t bytes_per_turn = 128 * 1024;
// What is written is shown before the turn's end once it is so much: else meshd would sleep while we read a hundred
// messages from sockets, and we while it passes them on.
constexpr int records_unshown = 64;

}  // namespace

MeshLink::MeshLink(boost::asio::io_context& io, Connect connect, std::uint32_t max_message, Callbacks callbacks)
    : io_(io),
      connect_(std::move(connect)),
      max_message_(max_message),
      callbacks_(std::move(callbacks)),
      retry_(io),
      beat_(io) {}

MeshLink::~MeshLink() { stop(); }

void MeshLink::start() {
  attach();
  beat();
}

void MeshLink::stop() {
  stopped_ = true;
  ++attachment_;
  retry_.cancel();
  beat_.cancel();
  drop_descriptors();
}

void MeshLink::drop_descriptors() {
  for (auto* const waiting : {&wait_, &bell_wait_}) {
    if (*waiting) (*waiting)->release();
    waiting->reset();
  }
  channel_.close();
  bell_ = {};
}

void MeshLink::attach() {
  if (stopped_) return;
  auto channel = connect_();
  auto greeted = channel ? channel->send_hello({shm::abi, ticket_}) : Result<void>(tl::unexpected(channel.error()));
  if (!greeted) {
    // Once for each reason: while meshd is away this comes twenty times a second.
    if (const std::string text = greeted.error().text(); text != last_failure_) {
      log::warning("not attached to meshd", {{"reason", text}});
      last_failure_ = text;
    }
    return attach_later(retry_pause);
  }
  channel_ = std::move(*channel);
  ++attachment_;
  wait_.emplace(io_, channel_.fd());
  wait_for_control();
  retry_.expires_after(greeting_timeout);
  retry_.async_wait([this, now = attachment_](const boost::system::error_code& error) {
    if (!error && now == attachment_ && !attached()) lose("no welcome in time");
  });
}

void MeshLink::attach_later(std::chrono::milliseconds pause) {
  retry_.expires_after(pause);
  retry_.async_wait([this](const boost::system::error_code& error) {
    if (!error) attach();
  });
}

void MeshLink::wait_for_control() {
  wait_->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [this, now = attachment_](const boost::system::error_code& error) {
                      if (!error && now == attachment_) on_control();
                    });
}

void MeshLink::on_control() {
  using What = shm::ControlChannel::Received::What;
  auto received = channel_.receive();
  switch (received.what) {
    case What::closed: return lose("its control socket closed", true);
    case What::rubbish: return lose("rubbish on the control socket: " + received.rubbish);
    case What::refusal: return lose("refused: " + received.refusal.reason, false, refused_pause);
    case What::hello: return lose("a hello from meshd");
    case What::welcome:
      if (attached()) return lose("a second welcome");
      on_welcome(std::move(received));
      break;
    case What::nothing: break;
  }
  if (wait_) wait_for_control();
}

void MeshLink::wait_for_doorbell() {
  // An error is meshd's end, which the control socket tells as well.
  bell_wait_->async_read_some(boost::asio::buffer(bells_),
                              [this, now = attachment_](const boost::system::error_code& error, std::size_t) {
                                if (error || now != attachment_) return;
                                look();
                                if (bell_wait_ && now == attachment_) wait_for_doorbell();
                              });
}

void MeshLink::on_welcome(shm::ControlChannel::Received&& received) {
  auto segments = shm::EdgeSegments::open(std::move(received.fd_m), std::move(received.fd_e));
  if (!segments) {
    lose("unusable segments: " + segments.error().text(), false, refused_pause);
    if (++unusable_ >= most_unusable && callbacks_.on_unusable) callbacks_.on_unusable();
    return;
  }
  unusable_ = 0;
  bell_ = std::move(received.bell);
  boost::system::error_code wrong;
  bell_wait_.emplace(io_).assign(bell_.fd(), wrong);
  if (wrong) return lose("an unusable doorbell: " + wrong.message());
  retry_.cancel();
  ticket_ = std::move(received.welcome.ticket);
  segments_.emplace(std::move(*segments));
  requests_ = segments_->requests();
  responses_ = segments_->responses();
  broker_ = segments_->broker();
  full_ = false;
  wanted_room_ = 0;
  last_failure_.clear();
  wait_for_doorbell();
  log::info("attached to meshd", {{"slot", segments_->slot()}, {"generation", segments_->generation()}});
  const std::pair address{segments_->slot(), segments_->generation()};
  const bool again = std::exchange(address_, address) == address;
  callbacks_.on_attached(again);
  if (again) NUROPB_CRASH_POINT(attached_again);
  look();
}

void MeshLink::lose(const std::string& reason, bool ended, std::chrono::milliseconds pause) {
  const bool was_attached = attached();
  if (was_attached || reason != last_failure_) log::warning("meshd lost", {{"reason", reason}});
  last_failure_ = reason;
  ++attachment_;
  drop_descriptors();
  if (was_attached) {
    // What it had put into the ring before it died is good: whole records only. Nothing is sent into the dead ring on
    // their account: it would only end as unknown.
    full_ = true;
    NUROPB_CRASH_POINT(meshd_missed);
    while (read_records()) {}
    NUROPB_CRASH_POINT(old_ring_drained);
    Lost lost;
    if (ended) {
      lost = {segments_->taken(), segments_->settled(), {}};
      lost.untaken = requests_.written_since(lost.taken);
    } else {
      // It may be reading still: then all of it counts as taken, and nothing as settled.
      lost.taken = requests_.staged();
    }
    segments_.reset();
    broker_ = shm::BrokerState::away;
    full_ = false;
    callbacks_.on_lost(lost);
    NUROPB_CRASH_POINT(requests_judged);
  }
  attach_later(pause);
}

void MeshLink::look() {
  if (!attached()) return;
  const std::uint64_t now = attachment_;
  responses_.cancel_sleep();
  const bool more = read_records();
  if (now != attachment_) return;
  if (responses_.poisoned()) return lose("impossible return ring");
  if (callbacks_.on_batch_end) callbacks_.on_batch_end();

  bool changed = false;
  if (const auto broker = segments_->broker(); broker != broker_) {
    broker_ = broker;
    changed = true;
  }
  if (full_ && !requests_.await_space(wanted_room_)) {
    full_ = false;
    changed = true;
  }
  if (changed) callbacks_.on_change();
  if (now != attachment_) return;

  if ((more || !responses_.prepare_sleep()) && !look_scheduled_) {
    look_scheduled_ = true;
    boost::asio::post(io_, [this] {
      look_scheduled_ = false;
      look();
    });
  }
}

/// True if the budget ended before the ring did.
bool MeshLink::read_records() {
  shm::RecordHeader header;
  bool more = true;
  std::size_t bytes = 0;
  int i = 0;
  for (; i < records_per_turn && bytes < bytes_per_turn; ++i) {
    if (responses_.peek(header) != shm::RingReader::Next::record) {
      more = false;
      break;
    }
    const auto bounds = records::bounds_to_edge(header.type, max_message_);
    if (!bounds || header.length < bounds->minimum || header.length > bounds->maximum) {
      responses_.poison();
      return false;
    }
    if (i == 0) taken_at_ = std::chrono::steady_clock::now();  // one look at the clock for all of the batch
    bytes += header.length;
    responses_.take(header, payload_);
    NUROPB_CRASH_POINT(answer_read);
    callbacks_.on_record(header, payload_);
    NUROPB_CRASH_POINT(answer_given);
  }
  if (responses_.release()) bell_.ring();
  NUROPB_CRASH_POINT(answers_released);
  scheduling_.handled(static_cast<std::size_t>(i));
  return more;
}

bool MeshLink::write(records::Type type, std::uint64_t sequence, std::string_view payload) {
  if (!attached() || full_) return false;
  if (!requests_.write(static_cast<std::uint16_t>(type), 0, sequence, {payload})) {
    full_ = true;
    wanted_room_ = payload.size();
    count(shm::EdgeCounter::ring_stalls);
    schedule_flush();  // what is staged has to be visible before room can come
    return false;
  }
  NUROPB_CRASH_POINT(request_staged);
  if (++unshown_ == records_unshown) show();
  schedule_flush();
  return true;
}

void MeshLink::schedule_flush() {
  if (flush_scheduled_) return;
  flush_scheduled_ = true;
  boost::asio::post(io_, [this] {
    flush_scheduled_ = false;
    flush();
  });
}

void MeshLink::show() {
  unshown_ = 0;
  const bool asleep = requests_.commit();
  NUROPB_CRASH_POINT(requests_shown);
  if (asleep) bell_.ring();
}

void MeshLink::flush() {
  if (!attached()) return;
  show();
  if (requests_.poisoned()) return lose("impossible position of the request ring");
  if (full_ && !requests_.await_space(wanted_room_)) {
    full_ = false;
    callbacks_.on_change();
  }
}

void MeshLink::beat() {
  life_sign_.give();
  log::tick();
  scheduling_.tick();
  if (segments_) {
    segments_->beat();
    callbacks_.on_beat();
    const std::uint64_t dropped = log::dropped();
    count(shm::EdgeCounter::dropped_log_lines, dropped - std::exchange(shown_dropped_, dropped));
    timespec cpu{};
    if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
      segments_->set(shm::EdgeCounter::cpu_us, static_cast<std::uint64_t>(cpu.tv_sec) * 1'000'000 +
                                                   static_cast<std::uint64_t>(cpu.tv_nsec) / 1000);
  }
  beat_.expires_after(beat_interval);
  beat_.async_wait([this](const boost::system::error_code& error) {
    if (!error) beat();
  });
}

void MeshLink::count(shm::EdgeCounter which, std::uint64_t by) {
  if (segments_) segments_->count(which, by);
}
void MeshLink::set(shm::EdgeCounter which, std::uint64_t value) {
  if (segments_) segments_->set(which, value);
}

}  // namespace nuropb::edge
