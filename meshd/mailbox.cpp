#include "meshd/mailbox.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "meshd/session_table.hpp"

namespace nuropb::meshd {

// Including the allocator's overhead for the three.
static_assert(sizeof(Mailbox::Message) + sizeof(std::string) + sizeof(std::max_align_t) + 32 <= Mailboxes::overhead);

Mailbox::Mailbox(Mailboxes& all, Session& owner, std::uint64_t last)
    : handed(last), all_(all), owner_(owner), last_(last), gone_(last) {
  do id_ = all_.next_id_++;
  while (all_.boxes_.contains(id_));
  all_.boxes_[id_] = this;
}

Mailbox::~Mailbox() {
  while (!pending_.empty()) all_.take(*this, pending_.begin()->first);
  while (!topics.empty()) all_.remove_topic(*this, std::string(*topics.begin()));
  all_.resize(*this, 0);
  all_.move(*this, {});
  all_.boxes_.erase(id_);
}

const Mailbox::Message* Mailbox::after(std::uint64_t number) const {
  // Numbers have no gaps, so the index in the log is a difference.
  if (number < gone_ || number >= last_) return nullptr;
  return &log_[static_cast<std::size_t>(number - gone_)];
}

Mailbox* Mailboxes::find(std::uint32_t id) const {
  const auto found = boxes_.find(id);
  return found == boxes_.end() ? nullptr : found->second;
}

void Mailboxes::each(const std::function<void(Mailbox&)>& work) const {
  std::vector<std::uint32_t> ids;
  ids.reserve(boxes_.size());
  for (const auto& [id, box] : boxes_) ids.push_back(id);
  for (const std::uint32_t id : ids) {
    if (Mailbox* const box = find(id)) work(*box);
  }
}

void Mailboxes::resize(Mailbox& box, std::size_t bytes) {
  if (bytes == box.bytes_) return;
  auto share =
      box.user_ ? shares_.find(*box.user_) : shares_.try_emplace(std::string(box.owner_.identity.user_id())).first;
  box.user_ = &share->first;
  // Reuses the nodes, because this runs for every message.
  auto rank = by_share_.extract({share->second.bytes, box.user_});
  auto size = share->second.boxes.extract({box.bytes_, box.id_});
  share->second.bytes = share->second.bytes - box.bytes_ + bytes;
  bytes_ = bytes_ - box.bytes_ + bytes;
  box.bytes_ = bytes;
  const auto put_back = [](auto& set, auto& node, auto value) {
    if (node.empty()) {
      set.insert(value);
    } else {
      node.value() = value;
      set.insert(std::move(node));
    }
  };
  if (share->second.bytes > 0) put_back(by_share_, rank, std::pair(share->second.bytes, box.user_));
  if (bytes > 0) put_back(share->second.boxes, size, std::pair(bytes, box.id_));
  else box.user_ = nullptr;
  if (share->second.bytes == 0) shares_.erase(share);
}

Mailbox& Mailboxes::largest() const {
  const Share& share = shares_.find(*by_share_.rbegin()->second)->second;
  return *boxes_.at(share.boxes.rbegin()->second);
}

void Mailboxes::pop(Mailbox& box) {
  const std::size_t size = box.log_.front().text->size() + overhead;
  box.gone_ = box.log_.front().number;
  box.log_.pop_front();
  resize(box, box.bytes_ - size);
}

void Mailboxes::put(Mailbox& box, Mailbox::Message message) {
  message.number = ++box.last_;
  const std::size_t size = message.text->size() + overhead;
  box.log_.push_back(std::move(message));
  resize(box, box.bytes_ + size);
}

void Mailboxes::trim(Mailbox& box) {
  const auto let_go = [this](Mailbox& from) {
    pop(from);
    ++let_go_;
    if (from.place_ && from.gone_ == from.handed + 1) overrun_.push_back(from.id_);
  };
  while (box.bytes_ > bounds_.each) let_go(box);
  while (bytes_ > bounds_.total) let_go(largest());
}

void Mailboxes::add(Mailbox& box, std::shared_ptr<const std::string> text) {
  put(box, {0, std::move(text), std::nullopt, 0, RequestOutcome::ok});
}

bool Mailboxes::answer(Mailbox& box, std::uint64_t pending, std::shared_ptr<const std::string> text,
                       RequestOutcome outcome, const records::Stages& stages) {
  const auto taken = take(box, pending);
  if (!taken) return false;
  put(box, {0, std::move(text), Mailbox::Asked{taken->from, taken->serial}, pending, outcome, stages});
  return true;
}

void Mailboxes::seen(Mailbox& box, std::uint64_t number) {
  while (!box.log_.empty() && box.log_.front().number <= number) pop(box);
}

void Mailboxes::move(Mailbox& box, std::optional<Mailbox::Place> place) {
  if (box.turn_ != 0) {
    const auto waiting = without_room_.find(box.place_->worker);
    waiting->second.erase(box.turn_);
    if (waiting->second.empty()) without_room_.erase(waiting);
    box.turn_ = 0;
  }
  box.place_ = place;
}

void Mailboxes::wait_for_room(Mailbox& box) {
  if (!box.place_ || box.turn_ != 0) return;
  box.turn_ = ++last_turn_;
  without_room_[box.place_->worker].emplace(box.turn_, box.id_);
}

Mailbox* Mailboxes::next_for_room(WorkerId worker) {
  const auto waiting = without_room_.find(worker);
  if (waiting == without_room_.end()) return nullptr;
  Mailbox& box = *boxes_.at(waiting->second.begin()->second);
  move(box, box.place_);
  return &box;
}

std::optional<std::uint64_t> Mailboxes::wait(Mailbox& box, Mailbox::Pending pending) {
  const std::size_t text = pending.trace_id.size() + 1;
  if (box.pending_text_ + text > bounds_.pending_text || addresses_.contains(pending.from)) return {};
  const WorkerId worker{pending.from.slot, pending.from.generation};
  const auto spent = pending_cost_.find(worker);
  if ((spent == pending_cost_.end() ? 0 : spent->second) + cost(pending) > bounds_.pending_of_worker) return {};
  const std::uint64_t number = next_pending_;
  next_pending_ = next_pending_ == ReturnAddress::max_sequence ? 1 : next_pending_ + 1;
  if (box.pending_.contains(number)) return {};
  box.pending_text_ += text;
  pending_cost_[worker] += cost(pending);
  addresses_[pending.from] = {&box, number};
  deadlines_.insert({pending.deadline, {box.id_, number}});
  box.pending_.emplace(number, std::move(pending));
  return number;
}

std::optional<Mailbox::Pending> Mailboxes::take(Mailbox& box, std::uint64_t number) {
  auto node = box.pending_.extract(number);
  if (node.empty()) return {};
  Mailbox::Pending out = std::move(node.mapped());
  box.pending_text_ -= out.trace_id.size() + 1;
  const auto spent = pending_cost_.find({out.from.slot, out.from.generation});
  if ((spent->second -= cost(out)) == 0) pending_cost_.erase(spent);
  addresses_.erase(out.from);
  deadlines_.erase({out.deadline, {box.id_, number}});
  return out;
}

Mailboxes::Found Mailboxes::find(const ReturnAddress& from) const {
  const auto found = addresses_.find(from);
  return found == addresses_.end() ? Found{} : found->second;
}

std::optional<Mailboxes::Found> Mailboxes::due(SteadyTime now) const {
  if (deadlines_.empty() || deadlines_.begin()->first > now) return {};
  const auto [id, pending] = deadlines_.begin()->second;
  return Found{find(id), pending};
}

void Mailboxes::add_topic(Mailbox& box, std::string_view topic) {
  if (box.topics.emplace(topic).second) topics_.add(topic, box.id_);
}

void Mailboxes::remove_topic(Mailbox& box, std::string_view topic) {
  const auto found = box.topics.find(topic);
  if (found == box.topics.end()) return;
  topics_.remove(topic, box.id_);
  box.topics.erase(found);
}

void Mailboxes::match(std::string_view topic, std::vector<Mailbox*>& out) const {
  out.clear();
  topics_.match(topic, found_);
  for (const auto id : found_) {
    if (Mailbox* const box = find(static_cast<std::uint32_t>(id))) out.push_back(box);
  }
}

}  // namespace nuropb::meshd
