#pragma once
// meshd's side of the shared memory, controlled by a test: real control socket, segments and rings, without any logic
// of its own. The test plays meshd record by record.

#include <poll.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "common/records.hpp"
#include "shm/control.hpp"
#include "shm/segment.hpp"

namespace nuropb::edge {

class RingSide {
 public:
  static constexpr int patience_ms = 60'000;

  explicit RingSide(const std::string& path, shm::Geometry geometry = {1 << 16, 1 << 16}) : geometry_(geometry) {
    auto listener = shm::ControlListener::listen(path);
    if (!listener) throw std::runtime_error(listener.error().text());
    listener_.emplace(std::move(*listener));
  }

  /// Attaches the edge: its hello, our welcome. If a slow machine has made it wait too long, it has disconnected and
  /// tries again.
  shm::Hello welcome(std::uint32_t slot = 3, std::uint32_t generation = 9,
                     shm::BrokerState broker = shm::BrokerState::ready) {
    auto segments = shm::MeshdSegments::create(slot, generation, geometry_);
    if (!segments) throw std::runtime_error(segments.error().text());
    segments_.emplace(std::move(*segments));
    segments_->set_broker(broker);
    requests_ = segments_->requests();
    answers_ = segments_->responses();
    auto bells = shm::Doorbell::pair();
    if (!bells) throw std::runtime_error(bells.error().text());
    bell_ = std::move(bells->first);
    for (;;) {
      shm::Hello hello = greet();
      if (channel_.send_welcome({slot, generation, "worker ticket"}, segments_->fd_m(), segments_->fd_e(),
                                bells->second))
        return hello;
    }
  }
  shm::Hello greet() {
    for (;;) {
      readable(listener_->fd(), "no edge connected");
      auto channel = listener_->accept();
      if (!channel) throw std::runtime_error("nobody to accept");
      channel_ = std::move(*channel);
      readable(channel_.fd(), "no hello");
      auto received = channel_.receive();
      if (received.what == shm::ControlChannel::Received::What::hello) return received.hello;
      if (received.what != shm::ControlChannel::Received::What::closed) throw std::runtime_error("not a hello");
    }
  }
  shm::ControlChannel& channel() { return channel_; }
  shm::MeshdSegments& segments() { return *segments_; }

  /// The next record of the edge, which must be a `Record`. Its views are valid until the next call.
  template <class Record>
  std::pair<shm::RecordHeader, Record> next(records::Type type) {
    shm::RecordHeader header;
    requests_.cancel_sleep();
    while (requests_.peek(header) != shm::RingReader::Next::record) {
      if (requests_.poisoned()) throw std::runtime_error("the edge wrote rubbish");
      if (!requests_.prepare_sleep()) continue;
      readable(bell_.fd(), "no record came");
      if (!bell_.hear()) throw std::runtime_error("the edge has gone");
      requests_.cancel_sleep();
    }
    if (header.type != static_cast<std::uint16_t>(type))
      throw std::runtime_error("a record of type " + std::to_string(header.type));
    requests_.take(header, payload_);
    if (requests_.release()) bell_.ring();
    const auto record = records::decode<Record>(payload_);
    if (!record) throw std::runtime_error("a record that can't be decoded");
    return {header, *record};
  }
  records::OpenSession open() { return next<records::OpenSession>(records::Type::open_session).second; }
  records::CloseSession closed() { return next<records::CloseSession>(records::Type::close_session).second; }
  std::pair<shm::RecordHeader, records::Request> request() { return next<records::Request>(records::Type::request); }
  /// Everything taken so far counts as published, as if the broker had confirmed it.
  void settle() { segments_->set_settled(requests_.head()); }
  /// True if the edge has written nothing that was not taken yet.
  bool quiet() { return requests_.depth() == 0; }

  template <class Record>
  void send(records::Type type, const Record& record, std::uint64_t sequence = 0) {
    std::string payload;
    records::encode(record, payload);
    send_raw(static_cast<std::uint16_t>(type), payload, sequence);
  }
  void send_raw(std::uint16_t type, std::string_view payload, std::uint64_t sequence = 0) {
    if (!answers_.write(type, 0, sequence, {payload})) throw std::runtime_error("no room in the return ring");
    if (answers_.commit()) bell_.ring();
  }
  void accept(const records::OpenSession& asked, std::string_view user = "user 1",
              std::string_view ticket = "session ticket") {
    send(records::Type::session_accepted,
         records::SessionAccepted{asked.session, asked.serial, user, "\"Ann\"", ticket});
  }
  void answer(const std::pair<shm::RecordHeader, records::Request>& asked, std::string_view result,
              std::string_view error = "null") {
    send(records::Type::response, records::Response{asked.second.session, result, error}, asked.first.sequence);
  }
  void set_broker(shm::BrokerState state) {
    segments_->set_broker(state);
    bell_.ring();
  }

 private:
  static void readable(int fd, const char* otherwise) {
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, patience_ms) <= 0) throw std::runtime_error(otherwise);
  }
  shm::Geometry geometry_;
  std::optional<shm::ControlListener> listener_;
  shm::ControlChannel channel_;
  shm::Doorbell bell_;
  std::optional<shm::MeshdSegments> segments_;
  shm::RingReader requests_;
  shm::RingWriter answers_;
  std::string payload_;
};

}  // namespace nuropb::edge
