#include "meshd/mesh/event_bindings.hpp"

#include "common/topic.hpp"

namespace nuropb::mesh {

Result<bool> EventBindings::bind(std::string pattern) {
  if (const auto problem = pattern_problem(pattern)) return failure(*problem, "topic pattern", "");
  const std::lock_guard lock(mutex_);
  if (wanted_.contains(pattern)) return false;
  // Patterns that still have to be unbound count as well, because the broker has them.
  if (wanted_.size() >= most_ || to_unbind_.size() >= most_)
    return failure("there are " + std::to_string(wanted_.size()) + " already", "topic patterns", "");
  wanted_.insert(pattern);
  to_unbind_.erase(pattern);
  if (told_.contains(pattern)) {
    if (!bound_.contains(pattern)) return false;  // its confirmation is pending
    bound_again_.push_back(std::move(pattern));
    return true;
  }
  to_bind_.insert(std::move(pattern));
  return true;
}

bool EventBindings::unbind(const std::string& pattern) {
  const std::lock_guard lock(mutex_);
  if (wanted_.erase(pattern) == 0) return false;
  to_bind_.erase(pattern);
  if (!told_.contains(pattern) && !maybe_.contains(pattern)) return false;
  to_unbind_.insert(pattern);
  return true;
}

bool EventBindings::needed() const {
  const std::lock_guard lock(mutex_);
  return !wanted_.empty() || !told_.empty() || !maybe_.empty();
}

std::vector<EventBindings::Change> EventBindings::take(std::size_t most) {
  std::vector<Change> out;
  const std::lock_guard lock(mutex_);
  while (out.size() < most && !to_unbind_.empty()) {
    auto node = to_unbind_.extract(to_unbind_.begin());
    told_.erase(node.value());
    bound_.erase(node.value());
    maybe_.erase(node.value());
    out.push_back({std::move(node.value()), false});
  }
  while (out.size() < most && !to_bind_.empty()) {
    auto node = to_bind_.extract(to_bind_.begin());
    told_.insert(node.value());
    maybe_.erase(node.value());
    out.push_back({std::move(node.value()), true});
  }
  return out;
}

void EventBindings::retell(const std::vector<Change>& unanswered) {
  const std::lock_guard lock(mutex_);
  maybe_.merge(told_);
  told_.clear();
  bound_.clear();
  for (const Change& change : unanswered) maybe_.insert(change.pattern);
  to_bind_ = wanted_;
  to_unbind_.clear();
  for (const auto& pattern : maybe_) {
    if (!wanted_.contains(pattern)) to_unbind_.insert(pattern);
  }
}

void EventBindings::again(const std::vector<Change>& lost) {
  const std::lock_guard lock(mutex_);
  for (const auto& [pattern, bind] : lost) {
    const bool wanted = wanted_.contains(pattern);
    if (bind) told_.erase(pattern);
    if (wanted) {
      if (!told_.contains(pattern)) to_bind_.insert(pattern);
    } else {
      to_unbind_.insert(pattern);
    }
  }
}

bool EventBindings::answered(const std::string& pattern) {
  const std::lock_guard lock(mutex_);
  if (told_.contains(pattern)) bound_.insert(pattern);
  return wanted_.contains(pattern);
}

std::vector<std::string> EventBindings::take_bound() {
  const std::lock_guard lock(mutex_);
  return std::exchange(bound_again_, {});
}

void EventBindings::refused(const std::string& pattern) {
  const std::lock_guard lock(mutex_);
  for (Set* set : {&wanted_, &told_, &bound_, &maybe_, &to_bind_, &to_unbind_}) set->erase(pattern);
}

std::vector<std::string> EventBindings::refuse_all() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out(wanted_.begin(), wanted_.end());
  for (Set* set : {&wanted_, &told_, &bound_, &maybe_, &to_bind_, &to_unbind_}) set->clear();
  return out;
}

}  // namespace nuropb::mesh
