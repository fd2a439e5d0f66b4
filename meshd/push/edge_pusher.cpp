#include "meshd/push/edge_pusher.hpp"

#include <array>
#include <boost/asio/post.hpp>
#include <chrono>

#include "common/json/scan.hpp"

namespace nuropb::meshd {
namespace {

constexpr auto push_tick = std::chrono::milliseconds(100);

/// A message that a number can be put into: an object without one.
std::string numberable(std::string_view text) {
  std::array<json::Field, 1> fields{{{"seq"}}};
  if (text.starts_with('{') && !json::scan(text, fields, nullptr) && !fields[0].value.present())
    return std::string(text);
  return R"({"type":"message","payload":)" + std::string(text) + "}";
}

}  // namespace

EdgePusher::EdgePusher(const Parts& parts)
    : io_(parts.io),
      timer_(parts.timers),
      workers_(parts.workers),
      all_(parts.all),
      sessions_(parts.sessions),
      keeper_(parts.keeper),
      mailboxes_(parts.mailboxes),
      delivery_(parts.delivery),
      taps_(parts.taps),
      faces_(parts.faces) {}

void EdgePusher::send(WorkerId id, records::Type type, std::string payload) {
  if (taps_.watching() && type == records::Type::push) [[unlikely]]
    taps_.pushed(id, payload);
  if (id == numbered_worker) return to_mailboxes(type, payload);
  Worker* const worker = workers_.find(id);
  if (!worker) return;
  workers_.send(*worker, type, 0, std::move(payload), "its messages");
  workers_.schedule_turn();  // which makes it visible, with all that was sent until then
}

void EdgePusher::tick_soon() {
  if (timer_.armed()) return;
  timer_.after(push_tick, [this] {
    faces_.each([this](Face& face) {
      face.pushes.tick();
      if (face.pushes.waiting()) tick_soon();
    });
  });
}

bool EdgePusher::on_pushed(Worker& worker, const records::Pushed& record) {
  const auto kind = Pushes::kind_of(record.op);
  Face* const face = kind ? faces_.find(*kind) : nullptr;
  return face && face->pushes.on_pushed(worker.id(), record);
}

/// What edges do for the other sessions (edge/relay/push_relay.hpp).
void EdgePusher::to_mailboxes(records::Type type, const std::string& payload) {
  Done done;
  if (type == records::Type::push) {
    const auto record = records::decode<records::Push>(payload);
    if (!record) return;
    done = push(*record);
  } else {
    const auto record = records::decode<records::CloseSessions>(payload);
    if (!record) return;
    done = close(*record);
  }
  // Not at once: the operation that asked is still being begun.
  if (done.op != 0) {
    boost::asio::post(
        io_, [this, done] { (void)faces_.find(done.kind)->pushes.on_pushed(numbered_worker, {done.op, done.taken}); });
  }
}

/// The mailboxes that a record is for.
template <class Record, class Work>
void EdgePusher::each_named(const Record& record, Work&& work) {
  if (record.all)
    mailboxes_.each([&](Mailbox& box) {
      if (box.owner().handler == record.handler) work(box);
    });
  for (std::size_t i = 0; i < record.sessions.size(); ++i) {
    if (Mailbox* const box = mailboxes_.find(record.sessions[i].session)) work(*box);
  }
}

EdgePusher::Done EdgePusher::push(const records::Push& record) {
  Done done{record.handler, record.op, 0};
  const auto text = shared(numberable(record.text));
  each_named(record, [&](Mailbox& box) {
    if (taps_.watching()) [[unlikely]]
      taps_.pushed(box.owner(), record.text);
    delivery_.say(box, text);
    ++done.taken;
  });
  return done;
}

EdgePusher::Done EdgePusher::close(const records::CloseSessions& record) {
  Done done{record.handler, record.op, 0};
  each_named(record, [&](Mailbox& box) {
    Worker* const worker = box.place() ? workers_.find(box.place()->worker) : nullptr;
    if (worker && record.all) return;  // its edge closes it
    if (worker) {
      sessions_.end(*worker, box.place()->slot, box.owner(), record.code, record.reason);
      workers_.schedule_turn();  // or its edge would not see it before the next beat
    } else if (!may_come_back(record.code)) {
      keeper_.drop(box.owner(), "ended");
    } else {
      return;
    }
    ++done.taken;
  });
  return done;
}

}  // namespace nuropb::meshd
