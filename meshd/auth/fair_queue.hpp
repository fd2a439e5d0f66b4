#pragma once
// A queue whose sources take turns, so that a source that fills it delays only itself. A source is a member of a group:
// a client address of an edge. Groups take turns first, so an edge gains nothing by inventing addresses.
//
//   group 1 ── member a: 1 2 3 4 5        pop(): 1a1, 2c1, 1b1, 2c2, 1a2, …
//           └─ member b: 1                drop(): the newest of the largest member of the largest group
//   group 2 ── member c: 1 2
//
// Ordered maps, because untrusted peers choose the members. One thread.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace nuropb::meshd {

template <class Item>
class FairQueue {
 public:
  using Group = std::uint64_t;

  void push(Group group, const std::string& member, Item item) {
    Members& members = groups_[group];
    members.by_name[member].push_back(std::move(item));
    ++members.size;
    ++size_;
  }
  /// Removes and returns the next item in turn.
  std::optional<Item> pop() {
    if (size_ == 0) return {};
    auto group = groups_.upper_bound(last_);
    if (group == groups_.end()) group = groups_.begin();
    last_ = group->first;
    Members& members = group->second;
    auto member = members.by_name.upper_bound(members.last);
    if (member == members.by_name.end()) member = members.by_name.begin();
    members.last = member->first;
    Item out = std::move(member->second.front());
    member->second.pop_front();
    taken(group, member);
    return out;
  }
  /// Removes and returns the newest item of the source with the most items.
  std::optional<Item> drop() {
    if (size_ == 0) return {};
    const auto group = std::max_element(groups_.begin(), groups_.end(),
                                        [](const auto& a, const auto& b) { return a.second.size < b.second.size; });
    auto& names = group->second.by_name;
    const auto member = std::max_element(
        names.begin(), names.end(), [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    Item out = std::move(member->second.back());
    member->second.pop_back();
    taken(group, member);
    return out;
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  using Names = std::map<std::string, std::deque<Item>>;
  struct Members {
    Names by_name;
    std::string last;
    std::size_t size = 0;
  };
  using Groups = std::map<Group, Members>;

  void taken(typename Groups::iterator group, typename Names::iterator member) {
    if (member->second.empty()) group->second.by_name.erase(member);
    --size_;
    if (--group->second.size == 0) groups_.erase(group);
  }

  Groups groups_;
  Group last_ = 0;
  std::size_t size_ = 0;
};

}  // namespace nuropb::meshd
